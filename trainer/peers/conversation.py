"""Published trajectories as they are written: ShareGPT conversations, in the two shapes that the agent literature shares.

AgentGym's AgentTraj (arXiv 2406.04151) names a task by ``item_id`` and flags every message with ``loss``; ETO's expert
trajectories (arXiv 2403.02502) have ``id``, for ALFWorld ``game_file``, for WebShop ``reward``, and no flags. In both a
human turn of instructions is acknowledged by the model ("OK"); the next human turn is the task, and then actions and
observations alternate. Some write ``Action:`` and the action on one line, some on two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import orjson
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import RestepError
from shared.react import Turn, parse_turn

Form = Literal["agentgym", "eto"]
_SPEAKERS: Final[dict[str, str]] = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt"}
_ACTION_BELOW: Final = re.compile(r"^([ \t]*Action:)[ \t]*\n\s*", re.MULTILINE)
_OBSERVATION: Final = re.compile(r"\A\s*Observation:\s*")
_LISTED_ACTIONS: Final = re.compile(r"(?:\A|\n)\s*available actions:.*\Z", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One conversation of a file as JSON. ``number`` counts from 1: the line of JSON lines, the place in a list."""

    file: Path
    number: int
    body: object

    def __str__(self) -> str:
        return f"{self.file.name}, entry {self.number}"


@dataclass(frozen=True, slots=True)
class Move:
    """One answer and the observation that the file shows after it; None where the file ends with the answer.

    ``trained`` is false where the file says that the answer is not to be learnt.
    """

    turn: Turn
    observation: str | None
    trained: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """A trajectory as published. ``opening`` is the human turn that states the task; ``reward`` is a fraction, if stated."""

    form: Form
    id: str
    game_file: str | None
    reward: float | None
    opening: str
    moves: tuple[Move, ...]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    speaker: str = Field(validation_alias=AliasChoices("from", "role"))
    text: str = Field(validation_alias=AliasChoices("value", "content"))
    loss: bool | None = None


class _Published(BaseModel):
    model_config = ConfigDict(extra="ignore")

    conversations: list[_Message] = Field(min_length=1)
    item_id: str | int | None = None
    id: str | int | None = None
    game_file: str | None = None
    reward: float | None = None


def entries(path: Path) -> Iterator[Entry]:
    """The entries of a file: a JSON list of conversations, a single one, or JSON lines.

    A line that is no JSON is an entry of its raw bytes, refused when it is read. Raises ``data_not_found``, and
    ``data_corrupt`` for a file that is neither.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RestepError("data_not_found", f"{path}: {error.strerror}") from None
    lines = [(number, line) for number, line in enumerate(raw.splitlines(), start=1) if line.strip()]
    try:
        whole: object = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if not lines or not lines[0][1].lstrip().startswith(b"{") or _or_bytes(lines[0][1]) is lines[0][1]:
            raise RestepError("data_corrupt", f"{path}: no JSON: {error}") from None
        yield from (Entry(path, number, _or_bytes(line)) for number, line in lines)
        return
    listed = cast(list[object], whole) if isinstance(whole, list) else [whole]
    yield from (Entry(path, number, body) for number, body in enumerate(listed, start=1))


def read_conversation(entry: Entry) -> Conversation:
    """Check and take apart one entry. Raises ``invalid_trajectory`` with the turn named."""
    if isinstance(entry.body, bytes):
        raise RestepError("invalid_trajectory", "not JSON")
    try:
        published = _Published.model_validate(entry.body)
    except ValidationError as error:
        first = error.errors()[0]
        raise RestepError("invalid_trajectory", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    form: Form = "eto" if published.item_id is None else "agentgym"
    name = published.id if published.item_id is None else published.item_id
    if name is None and published.game_file is None:
        raise RestepError("invalid_trajectory", "no item_id, id or game_file says which task it is of")
    opening, moves = _dialogue(published.conversations)
    return Conversation(
        form=form,
        id=str(published.game_file if name is None else name),
        game_file=published.game_file,
        reward=published.reward,
        opening=opening,
        moves=moves,
    )


def shown(text: str) -> str:
    """An observation without what a client laid around it: its keyword, and the list of available actions."""
    return _LISTED_ACTIONS.sub("", _OBSERVATION.sub("", text)).strip()


def _dialogue(messages: Sequence[_Message]) -> tuple[str, tuple[Move, ...]]:
    """The task turn, and the moves after it."""
    speakers = [_speaker(number, message) for number, message in enumerate(messages, start=1)]
    first = next((at for at, each in enumerate(messages) if speakers[at] == "gpt" and _turn(each).action_found), None)
    if first is None:
        raise RestepError("invalid_trajectory", "no turn has an action")
    if first == 0 or speakers[first - 1] != "human":
        raise RestepError("invalid_trajectory", f"turn {first + 1}: the first action answers no human turn")
    moves: list[Move] = []
    for at in range(first, len(messages), 2):
        answer = _turn(messages[at])
        if speakers[at] != "gpt" or not answer.action_found:
            what = "has no action" if speakers[at] == "gpt" else "should be the model's"
            raise RestepError("invalid_trajectory", f"turn {at + 1} {what}")
        if at + 1 < len(messages) and speakers[at + 1] != "human":
            raise RestepError("invalid_trajectory", f"turn {at + 2} should be an observation")
        observation = shown(messages[at + 1].text) if at + 1 < len(messages) else None
        trained = messages[at].loss is not False and answer.turn.error is None
        moves.append(Move(answer.turn, observation, trained))
    return shown(messages[first - 1].text), tuple(moves)


@dataclass(frozen=True, slots=True)
class _Read:
    turn: Turn
    action_found: bool


def _turn(message: _Message) -> _Read:
    turn = parse_turn(_ACTION_BELOW.sub(r"\1 ", message.text.strip().removesuffix("</s>")))
    return _Read(turn, turn.error in (None, "no thought"))


def _speaker(number: int, message: _Message) -> str:
    if message.speaker == "system":
        return "system"
    if message.speaker not in _SPEAKERS:
        raise RestepError("invalid_trajectory", f"turn {number}: no speaker {message.speaker!r}")
    return _SPEAKERS[message.speaker]


def _or_bytes(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
