"""The benchmark's own files of a game: which of them are games at all, and what they say.

The same bytes come from a folder, a tar archive or a download; all of them are read here. As in the benchmark, games
with a movable receptacle or a sliced object, of an unknown type, or not marked as solvable do not count.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from services.alfworld.source import GameText
from shared.errors import RestepError

GAME: Final = "game.tw-pddl"
TRAJECTORY: Final = "traj_data.json"
TASK_TYPES: Final = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)
"""In the benchmark's order."""

TASK_PREFIX: Final = "Your task is to: "
_TASK: Final = re.compile(r'"' + TASK_PREFIX + r'([^"\\\n]*)"')


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A folder of the benchmark that is no game of it, and why."""

    reason: str


def task_type(task_id: str) -> str:
    """The type that a task's folder begins with; maybe none of :data:`TASK_TYPES`."""
    return task_id.split("/")[1].split("-", 1)[0] if task_id.count("/") == 2 else ""


def check_folder(task_id: str) -> LeftOut | None:
    """What the name of a folder tells: None where it may be a game."""
    if task_type(task_id) not in TASK_TYPES:
        return LeftOut("its type is none of the benchmark's six")
    if "movable" in task_id or "Sliced" in task_id:
        return LeftOut("movable receptacles and sliced objects are not part of the benchmark")
    return None


def goal_of(grammar: str, task_id: str) -> str:
    """The task sentence in a grammar, prefix included. Raises ``data_corrupt`` where there is none."""
    found = _TASK.search(grammar)
    if found is None:
        raise RestepError("data_corrupt", f"game {task_id}: its grammar has no task sentence ({TASK_PREFIX}...)")
    return TASK_PREFIX + found[1]


def parse_game(task_id: str, game: bytes, trajectory: bytes | None) -> GameText | LeftOut:
    """A game from its two files; without the second it has no annotations. Raises ``data_corrupt``."""
    if (left_out := check_folder(task_id)) is not None:
        return left_out
    fields = _json(game, f"game {task_id}: {GAME}")
    if not fields.get("solvable"):
        return LeftOut("its file does not mark it as solvable")
    domain, grammar, problem = (_text(fields, key, task_id) for key in ("pddl_domain", "grammar", "pddl_problem"))
    goal_of(grammar, task_id)
    walkthrough = fields.get("walkthrough") or None
    if walkthrough is not None and not _is_texts(walkthrough):
        raise RestepError("data_corrupt", f"game {task_id}: its walkthrough is not a list of commands")
    annotations = () if trajectory is None else _annotations(task_id, trajectory)
    commands = None if walkthrough is None else tuple(cast("list[str]", walkthrough))
    return GameText(task_id, domain, grammar, problem, commands, annotations)


def digest(game: GameText) -> str:
    """First 16 hex digits of a SHA-256 of everything in a game, its id included; the same from every layout."""
    content = [game.task_id, game.domain, game.grammar, game.problem, game.walkthrough, game.annotations]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:16]


def _annotations(task_id: str, trajectory: bytes) -> tuple[str, ...]:
    annotated: object = _json(trajectory, f"game {task_id}: {TRAJECTORY}").get("turk_annotations")
    found: object = cast("dict[str, Any]", annotated).get("anns") if isinstance(annotated, dict) else None
    if not isinstance(found, list):
        return ()
    described = [cast("dict[str, Any]", one).get("task_desc") for one in cast("list[object]", found) if isinstance(one, dict)]
    return tuple(text for text in described if isinstance(text, str))


def _json(content: bytes, what: str) -> dict[str, Any]:
    try:
        fields: object = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RestepError("data_corrupt", f"{what}: not valid JSON ({error})") from None
    if not isinstance(fields, dict):
        raise RestepError("data_corrupt", f"{what}: not a JSON object")
    return cast("dict[str, Any]", fields)


def _text(fields: dict[str, Any], key: str, task_id: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RestepError("data_corrupt", f"game {task_id}: {GAME} has no {key}")
    return value


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value))
