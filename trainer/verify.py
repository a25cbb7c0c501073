"""``restep verify``: stored trajectories played again on a server; every observation and score must come again.

What was collected on one machine can so be checked on any other, before it is trained on.
"""

from __future__ import annotations

import asyncio
from functools import partial

from shared.client import EnvironmentClient, RemoteEpisode
from shared.errors import RestepError
from shared.protocol import StepResult
from shared.settings import client_token
from shared.store import TrajectoryStore
from shared.trajectory import Step, Trajectory
from trainer.concurrency import for_each
from trainer.progress import Report

_AT_ONCE = 16


async def verify_collection(store: TrajectoryStore, run: str, url: str, report: Report | None = None) -> int:
    """Replay all trajectories of ``run`` on the server at ``url``; returns how many.

    Raises ``data_not_found`` for an empty run, ``replay_diverged`` at the first difference.
    """
    await asyncio.to_thread(store.require, run)
    trajectories = await asyncio.to_thread(lambda: list(store.trajectories(run)))
    async with EnvironmentClient(url, client_token()) as client:
        await for_each(trajectories, partial(replay_trajectory, client), concurrency=_AT_ONCE, report=report)
    return len(trajectories)


async def replay_trajectory(client: EnvironmentClient, trajectory: Trajectory) -> None:
    """Play one trajectory's executed actions again. Raises ``replay_diverged`` at the first difference."""
    async with await reopen(client, trajectory) as episode:
        check_start(trajectory, episode)
        for step in trajectory.steps:
            if step.action is None or step.observation_hash is None:
                continue
            check_answer(trajectory, step, await episode.step(step.action))


async def reopen(client: EnvironmentClient, trajectory: Trajectory) -> RemoteEpisode:
    """A new episode of the trajectory's task, under its protocol. Raises what :meth:`EnvironmentClient.open` raises."""
    protocol = trajectory.protocol
    return await client.open(trajectory.task.id, seed=trajectory.seed, max_steps=protocol.max_steps, options=protocol.options)


def check_start(trajectory: Trajectory, episode: RemoteEpisode) -> None:
    """Raise ``replay_diverged`` when another first observation was recorded."""
    _same(trajectory, 0, episode.view.observation, trajectory.observation)


def check_answer(trajectory: Trajectory, step: Step, result: StepResult) -> None:
    """Raise ``replay_diverged`` when another observation or score was recorded for a step that was carried out."""
    got = (result.observation_hash, round(result.score, 6))
    _same(trajectory, step.index, got, (step.observation_hash, round(step.score or 0.0, 6)))


def _same(trajectory: Trajectory, index: int, got: object, recorded: object) -> None:
    if got != recorded:
        where = f"{trajectory.id} ({trajectory.task.id}), step {index}"
        raise RestepError("replay_diverged", f"{where}: the server answered {got!r}, recorded was {recorded!r}")
