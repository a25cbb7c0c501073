"""The folder of a run: which recipe owns it, where its parts lie, and how long each stage took.

``runs/<name>/`` holds ``recipe.json``, ``trajectories.db``, ``arms/<arm>/``, ``logs/``, ``results.json`` and
``report.html``. A folder belongs to the recipe that began it: another one would mix data of two experiments.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import orjson

from shared.errors import RestepError
from shared.store import TrajectoryStore
from trainer.files import write_whole
from trainer.recipe import Recipe

STORE_FILE: Final = "trajectories.db"
RECIPE_FILE: Final = "recipe.json"
TIMES_FILE: Final = "seconds.json"
GOLDEN: Final = "golden"
REFLECTED: Final = "reflected"
"""Names of the collections in a run's store; evaluations are ``evaluation/<arm>``."""
_MOVABLE: Final = frozenset({"description", "environment", "agent"})
"""Fields that may change between two starts of one run: they say where it runs, not what it is."""


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
        if begun:
            for field, value in wanted.items():
                if field not in _MOVABLE and begun.get(field) != value:
                    where = _first_difference(begun.get(field), value, field)
                    detail = f"{folder.path} was begun with another {where}; give the run another name, or remove it"
                    raise RestepError("invalid_recipe", detail)
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
        """The run's trajectories. Raises ``data_not_found`` for a folder that is no run."""
        if not (self.path / RECIPE_FILE).is_file():
            raise RestepError("data_not_found", f"{self.path} is no run's folder")
        return TrajectoryStore(self.path / STORE_FILE)

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


def _first_difference(one: object, two: object, path: str) -> str:
    """``evaluation.episode.max_steps (20, not 30)``."""
    if isinstance(one, dict) and isinstance(two, dict):
        left, right = cast(dict[str, Any], one), cast(dict[str, Any], two)
        for key in sorted(left.keys() | right.keys()):
            if left.get(key) != right.get(key):
                return _first_difference(left.get(key), right.get(key), f"{path}.{key}")
    return f"{path} ({one}, not {two})"
