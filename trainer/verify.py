"""``restep verify``: stored trajectories played again on a server; every observation and score must come again.

What was collected on one machine can so be checked on any other, before it is trained on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory

_AT_ONCE = 16


async def verify_collection(
    store: TrajectoryStore, run: str, url: str, *, progress: Callable[[int, int], None] | None = None
) -> int:
    """Replay all trajectories of ``run`` on the server at ``url``; returns how many.

    ``progress`` is told how many of how many are done. Raises ``data_not_found`` for an empty run,
    ``replay_diverged`` at the first difference.
    """
    await asyncio.to_thread(store.require, run)
    trajectories = await asyncio.to_thread(lambda: list(store.trajectories(run)))
    gate = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async with EnvironmentClient(url) as client:

        async def one(trajectory: Trajectory) -> None:
            nonlocal done
            async with gate:
                await replay_trajectory(client, trajectory)
            done += 1
            if progress is not None:
                progress(done, len(trajectories))

        try:
            async with asyncio.TaskGroup() as group:
                for trajectory in trajectories:
                    group.create_task(one(trajectory))
        except* RestepError as errors:
            raise errors.exceptions[0] from None
    return len(trajectories)


async def replay_trajectory(client: EnvironmentClient, trajectory: Trajectory) -> None:
    """Play one trajectory's executed actions again. Raises ``replay_diverged`` at the first difference."""
    protocol = trajectory.protocol
    episode = await client.open(
        trajectory.task.id, seed=trajectory.seed, max_steps=protocol.max_steps, options=protocol.options
    )
    async with episode:
        _same(trajectory, 0, episode.view.observation, trajectory.observation)
        for step in trajectory.steps:
            if step.action is None or step.observation_hash is None:
                continue
            result = await episode.step(step.action)
            got = (result.observation_hash, round(result.score, 6))
            _same(trajectory, step.index, got, (step.observation_hash, round(step.score or 0.0, 6)))


def _same(trajectory: Trajectory, index: int, got: object, recorded: object) -> None:
    if got != recorded:
        where = f"{trajectory.id} ({trajectory.task.id}), step {index}"
        raise RestepError("replay_diverged", f"{where}: the server answered {got!r}, recorded was {recorded!r}")
