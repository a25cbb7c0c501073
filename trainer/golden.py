"""Golden trajectories: the environment's expert plays, and says at every step what the step is for; or a model plays.

The expert is asked at every step: its plan is verified from the very state the episode is in, and the thought belongs
to the action that is taken next. A model plays as the student does, ReAct with the same prompt, several times where
that is asked for; an answer that breaks the format stays in the context as an error. Only episodes that the rule keeps
are for training (for the expert, those that reach the goal); others stay in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.react import Layout
from shared.store import TrajectoryStore
from trainer.collection import Collected, CollectionConfig, Episode, Played, collect
from trainer.options import Options
from trainer.progress import Report
from trainer.reflect import KeepRule
from trainer.rollout import Draft, EpisodeConfig, Player, SamplingConfig, next_answer, written
from trainer.runs import check_run
from trainer.teacher.options import Budget, EndpointOptions, Prices


class GoldenConfig(Options):
    """How golden trajectories are collected, and who plays."""

    collection: CollectionConfig = Field(
        default=CollectionConfig(concurrency=8), description="concurrency and tries; attempts at each task, for a model"
    )
    player: Literal["expert", "agent", "endpoint"] = Field(
        default="expert",
        description="the environment's expert, a model behind the agent service, or one behind an OpenAI-compatible endpoint",
    )
    checkpoint: str = Field(default="base", description="agent: a checkpoint folder or name")
    sampling: SamplingConfig = Field(default=SamplingConfig(logprobs=False), description="agent: how its answers are drawn")
    endpoint: EndpointOptions | None = Field(default=None, description="endpoint: where the model answers, and how it is asked")
    budget: Budget = Field(default=Budget(), description="endpoint: what all golden collections of the run may spend")
    prices: Prices | None = Field(default=None, description="endpoint: what tokens cost")
    keep: KeepRule = Field(default=KeepRule(), description="which episodes are for training")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.player == "endpoint" and self.endpoint is None:
            raise ValueError("endpoint: the player is a model behind one, so url and model are needed")
        if self.budget.cost is not None and self.prices is None:
            raise ValueError("prices: a budget in money needs them")
        return self


async def collect_golden(
    run: str,
    tasks: Sequence[TaskInfo],
    environment: EnvironmentClient,
    store: TrajectoryStore,
    episode: EpisodeConfig,
    config: GoldenConfig,
    report: Report | None = None,
    player: Player | None = None,
    *,
    layout: Layout = "turn",
) -> Collected:
    """Play ``tasks`` by the expert, or by ``player``, as ``episode`` says, into ``run``; resumable.

    ``layout`` is that of the reflections the player may have learnt. Raises ``expert_disabled`` or ``not_supported``
    when the server offers no expert, ``invalid_recipe`` when the run holds episodes of another protocol, engine or
    author; see :func:`trainer.collection.collect` for the rest.
    """
    info = await environment.info()
    author = f"expert:{info.name} {info.engine_version}" if player is None else await player.author()
    await check_run(store, run, info, episode, layout, "expert" if player is None else "teacher", author)

    async def by_player(unit: Episode, player: Player) -> Played:
        async with await episode.open(environment, unit.task.id) as played:
            draft = Draft(info, played.view, layout)
            policy, cause = player.begin(draft, unit.attempt), None
            while not draft.over:
                answer = await next_answer(draft, policy, "error")
                if answer is None:
                    cause = "context_overflow"
                    break
                provenance = "error" if answer.turn.error else "golden"
                draft.carry_out(answer, await played.step(answer.turn.action), provenance)
        trajectory = draft.finish(unit.run, cause)
        return Played(trajectory, kept=config.keep.keeps(trajectory.outcome))

    async def by_expert(unit: Episode) -> Played:
        async with await episode.open(environment, unit.task.id) as played:
            draft = Draft(info, played.view, layout)
            while not draft.over:
                advice = await played.expert()
                if not advice.actions:
                    raise RestepError("expert_failed", f"no continuation after step {draft.executed}")
                answer = written(advice.thought, advice.actions[0], "expert", author)
                draft.carry_out(answer, await played.step(answer.turn.action), "golden")
        trajectory = draft.finish(unit.run)
        return Played(trajectory, kept=config.keep.keeps(trajectory.outcome))

    async def play(unit: Episode) -> Played:
        return await (by_expert(unit) if player is None else by_player(unit, player))

    return await collect(run, tasks, play, store, config.collection, report)
