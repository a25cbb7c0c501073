"""Dialogues of pre-training: episodes laid out as at inference, and short exercises in copying names."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.react import first_message, system_prompt, turn_text

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One ChatML message."""

    role: Role
    text: str


def dialogue(instruction: str, goal: str, look: str, turns: Iterable[tuple[str, str, str]]) -> list[Message]:
    """An episode laid out exactly as at inference; ``turns`` are (thought, action, observation)."""
    messages = [Message("system", system_prompt(instruction)), Message("user", first_message(goal, look))]
    for thought, action, observation in turns:
        messages += [Message("assistant", turn_text(thought, action)), Message("user", observation)]
    return messages


def repeating(things: Sequence[str]) -> list[Message]:
    """Say again what was said."""
    line = "Here you see: " + ", ".join(things)
    return [Message("user", line), Message("assistant", line), Message("user", line)]


def recalling(things: Sequence[str], places: Sequence[str], rng: random.Random) -> list[Message]:
    """Say where things are."""
    homes = {thing: rng.choice(places) for thing in things}
    facts = " ".join(f"The {thing} is in the {place}." for thing, place in homes.items())
    messages = [Message("user", facts)]
    for asked in rng.sample(list(homes), min(4, len(homes))):
        messages += [Message("user", f"Where is the {asked}?"), Message("assistant", f"The {asked} is in the {homes[asked]}.")]
    return messages


def reciting(things: Sequence[str], rng: random.Random) -> list[Message]:
    """The same row three times."""
    row = [rng.choice(things) for _ in range(rng.randint(4, 10))]
    return [Message("user", " " + " ".join(row * 3))]
