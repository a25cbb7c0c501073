"""A collection as an order: all that is needed to play it on whatever machine, without the recipe and the run's folder.

It names servers and store by address and holds no secret; what is needed to be let in lies in files on each machine,
which variables of the environment name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import make_url

from shared.protocol import TaskInfo
from shared.react import Layout
from shared.store import TrajectoryStore
from trainer.evaluate import EvaluateConfig
from trainer.golden import GoldenConfig
from trainer.reflect import ReflectConfig
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.teacher.options import TeacherOptions
from trainer.teacher.prompts import Prompts

if TYPE_CHECKING:
    from trainer.render import Renderer  # which imports PyTorch; an order that experts play comes without

VARIABLES: Final = ("RESTEP_TOKEN_FILE", "RESTEP_STORE_PASSWORD_FILE", "PGPASSFILE", "PGSERVICEFILE")
"""Environment variables that name files with secrets; what is in those stays where it is."""


def _variables() -> dict[str, str]:
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


@dataclass(frozen=True, slots=True)
class StudentOrder:
    """A model behind agent services, and how its prompts are rendered; ``checkpoint`` is a path that they see."""

    urls: tuple[str, ...]
    checkpoint: str
    renderer: Renderer
    sampling: SamplingConfig


@dataclass(frozen=True, slots=True)
class TeacherOrder:
    """Who judges. ``golden`` is the run that a language model may be shown, ``prompts`` what it is told, the expert none."""

    options: TeacherOptions
    golden: str
    prompts: Prompts | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Play ``tasks`` into ``run`` of the store. What kind of collection it is, is told by ``config``.

    ``store`` is the address of the trajectories, ``namespace`` whose they are where several experiments share a store.
    ``student`` is None where the expert plays, or a model behind an endpoint.
    """

    run: str
    tasks: tuple[TaskInfo, ...]
    episode: EpisodeConfig
    layout: Layout
    config: GoldenConfig | ReflectConfig | EvaluateConfig
    store: str
    namespace: str | None
    environment: tuple[str, ...]
    student: StudentOrder | None
    teacher: TeacherOrder | None
    variables: dict[str, str] = field(default_factory=_variables)

    def open_store(self) -> TrajectoryStore:
        """Raises ``store_failed``."""
        return TrajectoryStore(self.store, namespace=self.namespace)

    @property
    def on_this_machine(self) -> str | None:
        """What of it is a file here, so that no other machine can play it; None where nothing is."""
        if make_url(self.store).get_backend_name() == "sqlite":
            return f"the store {self.store} is a file (a PostgreSQL server serves many machines)"
        return None


def store_address(url: str) -> str:
    """A store's URL as it holds in any folder of this machine."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database is None or parsed.database.startswith("file:"):
        return url
    return parsed.set(database=str(Path(parsed.database).resolve())).render_as_string(hide_password=False)
