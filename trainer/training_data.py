"""What an arm is trained on: trajectories of its sources, of every environment, from what the run's store holds.

A source is a half of the training tasks in one of the collections, or what was imported. Nothing is collected here: a
source that is empty everywhere is an error, one that lacks an environment is for the caller to tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from trainer.folder import RunFolder, Stage, collection_name
from trainer.recipe import Arm, Recipe, Source
from trainer.split import SplitConfig, half, split_tasks
from trainer.tasks import select_tasks
from trainer.workplace import Workplace

_MIXING_SALT: Final = "golden share"
STAGES: Final[Mapping[Source, Stage]] = {
    "golden_u1": "golden",
    "golden_u2": "golden",
    "reflected_u2": "reflected",
    "imported": "imported",
    "unverified": "unverified",
}
"""Which collection a source is taken from."""
_GOLDEN: Final[frozenset[Source]] = frozenset({"golden_u1", "golden_u2"})

Sources = dict[Source, dict[str, list[Trajectory]]]
"""What an arm is trained on, by source and environment."""


class TrainingData:
    """Of one recipe: its training tasks, split in two, and the trajectories kept of them."""

    def __init__(self, recipe: Recipe, folder: RunFolder, store: TrajectoryStore, workplace: Workplace) -> None:
        self._recipe, self._folder, self._store, self._workplace = recipe, folder, store, workplace
        self._split: dict[str, tuple[list[TaskInfo], list[TaskInfo]]] = {}

    async def halves(self, environment: str) -> tuple[list[TaskInfo], list[TaskInfo]]:
        """U1 and U2 of an environment. A server is asked only where nothing was collected yet: training needs none."""
        if environment not in self._split:
            held = await asyncio.to_thread(self._folder.tasks, environment)
            self._split[environment] = split_tasks(held or await self.tasks(environment), self._recipe.split)
        return self._split[environment]

    async def tasks(self, environment: str) -> list[TaskInfo]:
        """U of an environment as its server lists it now, which is kept in the run's folder."""
        served, options = await self._workplace.environment(environment), self._recipe.environments[environment]
        tasks = await select_tasks(served, options.tasks)
        await asyncio.to_thread(self._folder.write_tasks, environment, tasks)
        return tasks

    async def sources(self, arm: Arm) -> Sources:
        """An arm's trajectories. Raises ``data_not_found`` when a source is empty in every environment."""
        ids = {name: await self._source_ids(name) for name in self._recipe.environments}
        sources: Sources = {}
        for source in arm.data:
            held = {name: await self._kept(source, name, of_place.get(source), arm) for name, of_place in ids.items()}
            if not any(held.values()):
                raise RestepError("data_not_found", f"no {source} trajectory of {', '.join(held)} was kept; collect some first")
            sources[source] = held
        return sources

    async def counts(self, arm: Arm) -> dict[str, dict[str, int]]:
        """How many trajectories :meth:`sources` holds, by source and environment."""
        sources = await self.sources(arm)
        return {source: {name: len(held) for name, held in by_place.items()} for source, by_place in sources.items()}

    async def _source_ids(self, environment: str) -> dict[Source, set[str]]:
        u1, u2 = ({task.id for task in tasks} for tasks in await self.halves(environment))
        return {"golden_u1": u1, "golden_u2": u2, "reflected_u2": u2}

    async def _kept(self, source: Source, environment: str, ids: set[str] | None, arm: Arm) -> list[Trajectory]:
        """What an environment's collection holds of a source for an arm, in the store's order; ``ids`` None takes all."""
        run = collection_name(STAGES[source], environment)
        held = await asyncio.to_thread(lambda: list(self._store.trajectories(run, kept=True)))
        share = SplitConfig(fraction=arm.golden_share if source in _GOLDEN else 1.0, salt=_MIXING_SALT)
        return [one for one in held if (ids is None or one.task.id in ids) and half(one.task.id, share) == "U1"]
