"""The ReAct protocol: what the agent is shown, the shape of its answer, and how an answer is read.

One wording for roll-outs, training, evaluation and pre-training; its version is stamped into every trajectory,
because a score without its prompt cannot be compared. ReAct is Yao et al., arXiv 2210.03629; zero-shot here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

PROMPT_VERSION: Final = "react-1"
THOUGHT: Final = "Thought:"
ACTION: Final = "Action:"
MAX_ACTION_CHARS: Final = 400
GO_ON: Final = "Go on."
"""The user message that follows a thought without an action, where such a thought may be a message of its own."""

Layout = Literal["turn", "message"]
"""Where a reflection stands: at the head of the turn that corrects, or before it in a message of its own."""

_HOW = (
    "Answer every observation with one thought and one action:\nThought: what you want to do and why\nAction: the next action"
)
_ACTION_LINE = re.compile(r"^[ \t>*_`#-]*action[ \t*_`]*:[ \t*_`]*(.*)$", re.IGNORECASE | re.MULTILINE)
_THOUGHT_LEAD = re.compile(r"^[ \t>*_`#-]*thought[ \t*_`]*:[ \t*_`]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Turn:
    """An answer as read. ``error`` is None, or why the answer breaks the format; ``action`` is then what is sent anyway."""

    thought: str
    action: str
    error: str | None = None


def system_prompt(instruction: str) -> str:
    """The system message: the environment's own instruction, then the answer format."""
    return f"{instruction}\n{_HOW}"


def first_message(goal: str, observation: str) -> str:
    """The first user message: the task, then what is seen at the start."""
    return f"{goal}\n\n{observation}"


def prompt_version(layout: Layout) -> str:
    """What a trajectory is stamped with: the wording and, where it is not the usual one, the layout of reflections."""
    return PROMPT_VERSION if layout == "turn" else f"{PROMPT_VERSION}-reflection-message"


def turn_text(thought: str, action: str) -> str:
    """The canonical text of an answer."""
    return f"{THOUGHT} {thought}\n{ACTION} {action}"


def action_start(text: str) -> int | None:
    """Where in an answer the line of its action begins, which is the first such line; None without one."""
    found = _ACTION_LINE.search(text)
    return None if found is None else found.start()


def parse_turn(text: str) -> Turn:
    """Read an answer; never raises.

    The first ``Action:`` line counts (an answer that goes on to invent observations is cut there) and mark-down
    around the keywords is forgiven. Without one, the error says so and the whole text, on one line, is what goes
    to the engine: it will not be understood, costs a turn, and is counted, as in the benchmarks.
    """
    found = _ACTION_LINE.search(text)
    if found is None:
        flat = " ".join(text.split())[:MAX_ACTION_CHARS]
        return Turn(thought=flat, action=flat, error="no action line" if flat else "empty answer")
    thought = _THOUGHT_LEAD.sub("", text[: found.start()].strip()).strip()
    action = found.group(1).strip().strip("`*").strip()
    if not action:
        return Turn(thought=thought, action="", error="empty action")
    if len(action) > MAX_ACTION_CHARS:
        return Turn(thought=thought, action=action[:MAX_ACTION_CHARS], error="action too long")
    return Turn(thought=thought, action=action, error=None if thought else "no thought")


def lone_thought(text: str) -> str | None:
    """The thought of an answer that is a thought and nothing else; None for every other answer."""
    said = text.strip()
    lead = _THOUGHT_LEAD.match(said)
    if lead is None or _ACTION_LINE.search(said) is not None:
        return None
    return said[lead.end() :].strip() or None
