"""Raw play of the environments for pre-training, on train tasks only: who plays what, and a collection that resumes.

How an environment is played is told by its :class:`trainer.worlds.world.World`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence

from shared.environment import Environment
from shared.errors import EngineLost, RestepError
from shared.protocol import TaskInfo
from trainer.concurrency import for_each
from trainer.play import Play, PlayFile
from trainer.worlds.world import Tasks, World

log = logging.getLogger(__name__)


async def collect_plays(world: World, environment: Environment, file: PlayFile, *, seed: int, sessions: int) -> None:
    """Play into ``file`` what is missing there, ``sessions`` at a time. Play n depends on (seed, n) alone.

    A play that the engine or the expert fails in is left out and logged.
    """
    done = {int(row["number"]) for row in file.rows()}
    tasks = tasks_by_type(environment.tasks(world.split))

    async def add(number: int) -> None:
        play = await play_one(world, environment, tasks, random.Random(f"{seed}/{number}"))
        if play is not None:
            file.add(number, play)

    await for_each([number for number in range(world.options.plays) if number not in done], add, concurrency=sessions)


def tasks_by_type(tasks: Sequence[TaskInfo]) -> Tasks:
    """Tasks grouped by their types, in their order."""
    grouped: dict[str, list[TaskInfo]] = {}
    for task in tasks:
        grouped.setdefault(task.type, []).append(task)
    return grouped


async def play_one(world: World, environment: Environment, tasks: Tasks, rng: random.Random) -> Play | None:
    """One play; None when nothing was done in it. Raises AssertionError for a task outside the world's split."""
    kind = world.kind(rng)
    task = world.task(kind, tasks, rng)
    if task.split != world.split:
        raise AssertionError(f"{task.id} belongs to {task.split}; only {world.split} tasks may enter pre-training")
    try:
        play = await world.play(environment, kind, task, rng)
    except (RestepError, EngineLost) as error:
        log.warning("a play of %s left out: %s", task.id, error)
        return None
    return play if play.steps else None
