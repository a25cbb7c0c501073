"""Golden trajectories: the environment's expert plays, and says at every step what the step is for.

The expert is asked at every step: its plan is verified from the very state the episode is in, and the thought belongs
to the action that is taken next. Only episodes that reach the goal are for training; others stay in the store.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.store import TrajectoryStore
from trainer.collection import Collected, CollectionConfig, Episode, Played, collect
from trainer.options import Options
from trainer.progress import Report
from trainer.rollout import Draft, EpisodeConfig, written
from trainer.runs import check_run


class GoldenConfig(Options):
    """How golden trajectories are collected."""

    collection: CollectionConfig = Field(default=CollectionConfig(concurrency=8), description="concurrency and tries")


async def collect_golden(
    run: str,
    tasks: Sequence[TaskInfo],
    environment: EnvironmentClient,
    store: TrajectoryStore,
    episode: EpisodeConfig,
    config: GoldenConfig,
    report: Report | None = None,
) -> Collected:
    """Play ``tasks`` by the expert, as ``episode`` says, into ``run``; resumable. Kept are the episodes that met their goal.

    Raises ``expert_disabled`` or ``not_supported`` when the server offers no expert, ``invalid_recipe`` when the run
    holds episodes of another protocol or engine; see :func:`trainer.collection.collect` for the rest.
    """
    info = await environment.info()
    author = f"expert:{info.name} {info.engine_version}"
    await check_run(store, run, info, episode, "expert", author)

    async def play(unit: Episode) -> Played:
        async with await episode.open(environment, unit.task.id) as played:
            draft = Draft(info, played.view)
            while not draft.over:
                advice = await played.expert()
                if not advice.actions:
                    raise RestepError("expert_failed", f"no continuation after step {draft.executed}")
                answer = written(advice.thought, advice.actions[0], "expert", author)
                draft.carry_out(answer, await played.step(answer.turn.action), "golden")
        trajectory = draft.finish(unit.run)
        return Played(trajectory, kept=trajectory.outcome.success)

    return await collect(run, tasks, play, store, config.collection, report)
