"""The folder of a run: which recipe owns it, where its parts lie, and how long each stage took.

``runs/<name>/`` holds ``recipe.json``, ``trajectories.db``, ``arms/<arm>/``, ``teacher/``, ``logs/``, ``results.json``
and ``report.html``. A folder belongs to the recipe that began it: another one would mix data of two experiments.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, cast

import orjson

from shared.errors import RestepError
from shared.store import TrajectoryStore
from trainer.files import write_whole
from trainer.finetune_config import HOW
from trainer.recipe import Recipe, read_recipe

STORE_FILE: Final = "trajectories.db"
RECIPE_FILE: Final = "recipe.json"
TIMES_FILE: Final = "seconds.json"
TEACHER_FOLDER: Final = "teacher"
_MOVABLE_OF_ENDPOINT: Final = ("url", "key_env", "key_file", "concurrency", "timeout", "patience")
_MOVABLE: Final = (
    "description",
    "agent",
    "environments.*.url",
    "environments.*.workers",
    *(f"{stage}.collection.lease_seconds" for stage in ("golden", "reflected", "evaluation")),
    *(f"finetune.{field}" for field in HOW),
    *(f"{who}.endpoint.{field}" for who in ("golden", "teacher") for field in _MOVABLE_OF_ENDPOINT),
    *(f"{who}.{field}" for who in ("golden", "teacher") for field in ("budget", "prices")),
)
"""Fields that may change between two starts of one run: they say where it runs and what it may cost, not what it is."""

Stage = Literal["golden", "reflected", "imported", "unverified", "evaluation"]


def collection_name(stage: Stage, environment: str, arm: str | None = None) -> str:
    """What a collection is called in a run's store: ``golden/sciworld``, or ``evaluation/step/sciworld`` of an arm."""
    return "/".join(part for part in (stage, arm, environment) if part is not None)


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def claim(cls, recipe: Recipe, runs: Path) -> RunFolder:
        """The recipe's folder, made when it is not there.

        Raises ``invalid_recipe`` with the field named when another recipe began it, ``store_failed`` when it cannot
        be written.
        """
        folder = cls(runs / recipe.name)
        wanted = recipe.model_dump(mode="json")
        begun = folder._json(RECIPE_FILE)
        if begun and (difference := _first_difference(_identity(begun), _identity(wanted))):
            detail = f"{folder.path} was begun {difference}; give the run another name, or remove it"
            raise RestepError("invalid_recipe", detail)
        folder._write(RECIPE_FILE, wanted)
        return folder

    @property
    def logs(self) -> Path:
        """Where servers of this run write their logs."""
        return self.path / "logs"

    @property
    def teacher(self) -> Path:
        """Where a language model's answers and the books of its budget lie."""
        return self.path / TEACHER_FOLDER

    def arm(self, name: str) -> Path:
        """The checkpoint folder of an arm."""
        return self.path / "arms" / name

    def store(self) -> TrajectoryStore:
        """The run's trajectories. Raises ``data_not_found`` for a folder that is no run."""
        if not (self.path / RECIPE_FILE).is_file():
            raise RestepError("data_not_found", f"{self.path} is no run's folder")
        return TrajectoryStore(self.path / STORE_FILE)

    def recipe(self, settings: Sequence[str] = ()) -> Recipe:
        """The recipe that owns the run, with settings laid over it. Raises ``data_not_found``, ``invalid_recipe``."""
        if not (body := self._json(RECIPE_FILE)):
            raise RestepError("data_not_found", f"{self.path} is no run's folder")
        return read_recipe(body, settings)

    def refusals(self, environment: str) -> Path:
        """The list of what the last import refused."""
        return self.path / "refused" / f"{environment}.jsonl"

    def write_refusals(self, environment: str, rows: Sequence[dict[str, Any]]) -> None:
        """Replace the list. Raises ``store_failed``."""
        write_whole(self.refusals(environment), b"".join(orjson.dumps(row) + b"\n" for row in rows))

    @contextmanager
    def timed(self, stage: str) -> Generator[None]:
        """Add the seconds of the block to the stage's, also when it is interrupted."""
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = self.seconds()
            seconds[stage] = round(seconds.get(stage, 0.0) + time.monotonic() - began, 1)
            self._write(TIMES_FILE, seconds)

    def seconds(self) -> dict[str, float]:
        """Seconds of every stage so far, restarts included."""
        return self._json(TIMES_FILE)

    def _json(self, name: str) -> dict[str, Any]:
        try:
            body: object = orjson.loads((self.path / name).read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise RestepError("store_failed", f"{self.path / name}: {error.strerror}") from None
        except orjson.JSONDecodeError as error:
            raise RestepError("data_corrupt", f"{self.path / name}: {error}") from None
        if not isinstance(body, dict):
            raise RestepError("data_corrupt", f"{self.path / name}: no object")
        return cast(dict[str, Any], body)

    def _write(self, name: str, body: dict[str, Any]) -> None:
        write_whole(self.path / name, orjson.dumps(body, option=orjson.OPT_INDENT_2))


def _identity(fields: dict[str, Any], path: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe's fields without those that may change."""
    return {
        field: _identity(cast(dict[str, Any], value), [*path, field]) if isinstance(value, dict) else value
        for field, value in fields.items()
        if not any(_covers(movable.split("."), [*path, field]) for movable in _MOVABLE)
    }


def _covers(pattern: list[str], path: list[str]) -> bool:
    return len(pattern) == len(path) and all(one in ("*", two) for one, two in zip(pattern, path, strict=True))


def _first_difference(begun: dict[str, Any], wanted: dict[str, Any], path: str = "") -> str | None:
    """``with another evaluation.seed (1, not 2)``; None where there is no difference."""
    for key in [*wanted, *(begun.keys() - wanted.keys())]:
        where = f"{path}{key}"
        if key not in begun:
            return f"without {where}"
        if key not in wanted:
            return f"with {where}"
        one, two = begun[key], wanted[key]
        if isinstance(one, dict) and isinstance(two, dict):
            if found := _first_difference(cast(dict[str, Any], one), cast(dict[str, Any], two), f"{where}."):
                return found
        elif one != two:
            return f"with another {where} ({one}, not {two})"
    return None
