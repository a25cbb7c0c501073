"""Dialogues of pre-training: episodes laid out as at inference, and short exercises in copying names."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from shared.react import first_message, system_prompt, turn_text

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One ChatML message; of the assistant's, those not ``learned`` are context alone: errors that were made and repaired."""

    role: Role
    text: str
    learned: bool = True


class Turn(NamedTuple):
    """A step as it is told, and whether its thought and action are to be learned."""

    thought: str
    action: str
    observation: str
    learned: bool = True


def dialogue(instruction: str, goal: str, look: str, turns: Iterable[Turn]) -> list[Message]:
    """An episode laid out exactly as at inference."""
    messages = [Message("system", system_prompt(instruction)), Message("user", first_message(goal, look))]
    for turn in turns:
        said = Message("assistant", turn_text(turn.thought, turn.action), learned=turn.learned)
        messages += [said, Message("user", turn.observation)]
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
