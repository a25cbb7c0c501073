"""The folder of a run: which recipe owns it, where its parts lie, and how long each stage took.

``runs/<name>/`` holds ``recipe.json``, ``tasks/``, ``trajectories.db``, ``arms/<arm>/``, ``logs/``, ``results.json`` and
``report.html``. A folder belongs to the recipe that began it: another one would mix data of two experiments. The
trajectories, and the books and answers of a language model with them, may be in a store that several experiments share
instead, there under the recipe's name, which belongs to one recipe as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, Literal, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.store import TrajectoryStore
from trainer.files import write_whole
from trainer.identity import difference
from trainer.recipe import Recipe, check_store, read_recipe
from trainer.turns import turn

STORE_FILE: Final = "trajectories.db"
RECIPE_FILE: Final = "recipe.json"
TIMES_FILE: Final = "seconds.json"
_TASKS: Final = TypeAdapter(list[TaskInfo])

Stage = Literal["golden", "reflected", "imported", "unverified", "evaluation"]


def collection_name(stage: Stage, environment: str, arm: str | None = None) -> str:
    """What a collection is called in a run's store: ``golden/sciworld``, or ``evaluation/step/sciworld`` of an arm."""
    return "/".join(part for part in (stage, arm, environment) if part is not None)


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path, store: str | None = None) -> None:
        """``store``: where the trajectories are, in place of what the recipe says."""
        self.path, self._store = path, store

    @classmethod
    def claim(cls, recipe: Recipe, runs: Path) -> RunFolder:
        """The recipe's folder, made when it is not there, and the recipe's name in a shared store.

        A recipe that names no store goes on in the one where it was. Raises ``invalid_recipe`` with the field named when
        another recipe began it, ``store_failed`` when it cannot be written.
        """
        folder = cls(runs / recipe.name)
        wanted = recipe.model_dump(mode="json")
        begun = folder._json(RECIPE_FILE)
        if begun and (other := difference(begun, wanted)):
            raise RestepError("invalid_recipe", f"{folder.path} was begun {other}; give the run another name, or remove it")
        wanted["store"] = wanted["store"] or begun.get("store")
        if wanted["store"] is not None:
            _enter(wanted["store"], recipe.name, wanted)
        folder._write(RECIPE_FILE, wanted)
        return folder

    @property
    def logs(self) -> Path:
        """Where servers of this run write their logs."""
        return self.path / "logs"

    def arm(self, name: str) -> Path:
        """The checkpoint folder of an arm."""
        return self.path / "arms" / name

    def store(self) -> TrajectoryStore:
        """The run's trajectories. Raises ``data_not_found`` for a folder that is no run, unless it is told a store."""
        body = self._json(RECIPE_FILE)
        if self._store:
            check_store(self._store)
        elif not body:
            raise RestepError("data_not_found", f"{self.path} is no run's folder")
        own, store = self.path / STORE_FILE, self._store or body.get("store")
        if store is None or Path(store).resolve() == own.resolve():
            return TrajectoryStore(own)
        return TrajectoryStore(store, namespace=body.get("name", self.path.name))

    def recipe(self, settings: Sequence[str] = ()) -> Recipe:
        """The recipe that owns the run, with settings laid over it. Raises ``data_not_found``, ``invalid_recipe``."""
        if not (body := self._json(RECIPE_FILE)):
            raise RestepError("data_not_found", f"{self.path} is no run's folder")
        return read_recipe(body, settings)

    def tasks(self, environment: str) -> list[TaskInfo] | None:
        """The training tasks that were collected on; None before that. Raises ``data_corrupt``, ``store_failed``."""
        body = self._json(self._tasks(environment))
        try:
            return _TASKS.validate_python(body["tasks"]) if body else None
        except (KeyError, ValidationError):
            raise RestepError("data_corrupt", f"{self.path / self._tasks(environment)}: no list of tasks") from None

    def write_tasks(self, environment: str, tasks: Sequence[TaskInfo]) -> None:
        """Keep the training tasks of an environment. Raises ``store_failed``."""
        self._write(self._tasks(environment), {"tasks": _TASKS.dump_python(list(tasks), mode="json")})

    @staticmethod
    def _tasks(environment: str) -> str:
        return f"tasks/{environment}.json"

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

    def turn(self, work: str) -> AbstractAsyncContextManager[None]:
        """Waits until no other process does this work in this folder. Ranks of one training do it together."""
        together = int(os.environ.get("WORLD_SIZE", "1")) > 1
        return nullcontext() if together else turn(self.path / "locks" / work)

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


def _enter(store: str, name: str, wanted: dict[str, Any]) -> None:
    """Take a name in a shared store. Raises ``invalid_recipe`` when another recipe has it, with the field named."""
    with TrajectoryStore(store) as opened:
        where, begun = opened.url, orjson.loads(opened.begin(name, orjson.dumps(wanted).decode()))
    if other := difference(begun, wanted):
        raise RestepError("invalid_recipe", f"{name!r} was begun {other} in {where}; give the run another name")
