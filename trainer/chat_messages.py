"""A trajectory as the messages of a chat: which steps make up an answer, and what stands around the answers.

No tokens here: whoever renders, shows or exports a dialogue lays it out so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.react import first_message
from shared.trajectory import Step, Trajectory


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message; ``steps`` are those of an answer, and none for what stands around answers."""

    role: Literal["system", "user", "assistant"]
    text: str
    steps: tuple[Step, ...] = ()


def chat_messages(trajectory: Trajectory) -> list[ChatMessage]:
    """The whole dialogue; what follows the last answer is left out."""
    messages = [ChatMessage("system", trajectory.protocol.system)]
    follows = first_message(trajectory.task.goal, trajectory.observation)
    for turn in assistant_turns(trajectory.steps):
        said = ChatMessage("assistant", "".join(step.text for step in turn), tuple(turn))
        messages += [ChatMessage("user", follows), said]
        follows = turn[-1].observation or ""
    return messages


def assistant_turns(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Steps grouped into assistant turns: a turn goes on until something answers it, so its last step has an observation."""
    turn: list[Step] = []
    for step in steps:
        turn.append(step)
        if step.observation is not None:
            yield turn
            turn = []
