"""Which of our tasks a published trajectory is of: every collection of them numbers the benchmarks' tasks in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import orjson

from shared.agentgym import LEFT_OUT
from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from trainer.peers.conversation import Conversation

_ALFWORLD: Final = re.compile(r"(?P<task>[^/]+-\d+)[_/](?P<trial>trial_[^/]+)(?:/game\.tw-pddl)?$")
_NUMBERED: Final = re.compile(r"(?:[a-z]+_)?(\d+)")
_WEBSHOP: Final = re.compile(r"(?:synthetic|human)-\d+")
_ETO_SCIWORLD: Final = re.compile(r"(\d+)_(\d+)")

ETO_SCIWORLD_TASKS: Final = (
    "boil",
    "change-the-state-of-matter-of",
    "freeze",
    "melt",
    "measure-melting-point-known-substance",
    "measure-melting-point-unknown-substance",
    "use-thermometer",
    "power-component",
    "power-component-renewable-vs-nonrenewable-energy",
    "test-conductivity",
    "test-conductivity-of-unknown-substances",
    "find-animal",
    "find-living-thing",
    "find-non-living-thing",
    "find-plant",
    "grow-fruit",
    "grow-plant",
    "chemistry-mix",
    "chemistry-mix-paint-secondary-color",
    "chemistry-mix-paint-tertiary-color",
    "lifespan-longest-lived",
    "lifespan-longest-lived-then-shortest-lived",
    "lifespan-shortest-lived",
    "identify-life-stages-1",
    "identify-life-stages-2",
    "inclined-plane-determine-angle",
    "inclined-plane-friction-named-surfaces",
    "inclined-plane-friction-unnamed-surfaces",
    "mendelian-genetics-known-plant",
    "mendelian-genetics-unknown-plant",
)
"""ETO's ids are ``<number>_<variation>``; its numbers follow the alphabet of the tasks' older names (``task-1-boil``)."""


class TaskFinder:
    """Finds the task ids of one environment. ``ids`` says what cannot be told from an entry's own id."""

    def __init__(self, environment: str, tasks: list[TaskInfo], ids: Mapping[str, str]) -> None:
        self._environment, self._ids = environment, ids
        self._known = {"/".join(task.id.split("/")[-2:]): task.id for task in tasks}
        left_out = LEFT_OUT.get(environment, frozenset[str]())
        self._numbered = [task.id for task in tasks if task.type not in left_out]

    @classmethod
    async def open(cls, environment: EnvironmentClient, ids: Mapping[str, str]) -> TaskFinder:
        """The finder of a server's tasks; those of WebShop, which may be millions, are numbers and need no list."""
        name = (await environment.info()).name
        return cls(name, [] if name == "webshop" else await environment.tasks(), ids)

    def find(self, conversation: Conversation) -> str:
        """A task id as our servers know it; the server has the last word. Raises ``unknown_task``."""
        name = conversation.id
        for key in (name, str(_number(name))):  # AgentGym's alfworld_7 is item 7 of its mapping
            if key in self._ids:
                return self._pair(self._ids[key]) or self._ids[key]
        find = {"alfworld": self._alfworld, "sciworld": self._sciworld, "webshop": _webshop}.get(self._environment)
        found = find(conversation) if find else None
        if found is None:
            found = self._known.get("/".join(name.split("/")[-2:]))
        if found is None:
            raise RestepError("unknown_task", f"{name!r} names no task of {self._environment}; --ids can say which it is of")
        return found

    def _pair(self, text: str) -> str | None:
        found = _ALFWORLD.search(text)
        return self._known.get(f"{found['task']}/{found['trial']}") if found else None

    def _alfworld(self, conversation: Conversation) -> str | None:
        return self._pair(conversation.game_file or conversation.id)

    def _sciworld(self, conversation: Conversation) -> str | None:
        if found := _ETO_SCIWORLD.fullmatch(conversation.id):
            kind, variation = int(found[1]), found[2]
            return f"{ETO_SCIWORLD_TASKS[kind]}/{variation}" if kind < len(ETO_SCIWORLD_TASKS) else None
        number = _number(conversation.id)
        return self._numbered[number] if number is not None and number < len(self._numbered) else None


def read_ids(path: Path) -> dict[str, str]:
    """Entry ids to task ids, from an object of such pairs or from AgentGym's ``mappings_*.json`` of ALFWorld.

    Raises ``data_not_found``, ``data_corrupt``.
    """
    try:
        body: object = orjson.loads(path.read_bytes())
        if isinstance(body, dict):
            return {str(key): str(value) for key, value in cast(dict[str, Any], body).items()}
        rows = cast(list[dict[str, Any]], body)
        return {str(row["item_id"]): f"{row['task_type']}/{row['task_id']}" for row in rows}
    except OSError as error:
        raise RestepError("data_not_found", f"{path}: {error.strerror}") from None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        detail = f"{path}: neither an object of ids nor a list with item_id, task_type and task_id ({error})"
        raise RestepError("data_corrupt", detail) from None


def _webshop(conversation: Conversation) -> str | None:
    """AgentGym's server plays the synthetic goals, ETO those that people wrote."""
    if _WEBSHOP.fullmatch(conversation.id):
        return conversation.id
    number = _number(conversation.id)
    kind = "synthetic" if conversation.form == "agentgym" else "human"
    return None if number is None else f"{kind}-{number}"


def _number(name: str) -> int | None:
    found = _NUMBERED.fullmatch(name)
    return int(found[1]) if found else None
