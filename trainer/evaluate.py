"""How good a checkpoint is on held-out tasks, under a protocol that is stated beside every figure.

Every episode is kept like collected ones, so that an evaluation resumes, and its figures can be computed again and
looked into. Tasks whose episode could not be played are named in the result, never scored.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import Ended, TaskInfo
from shared.react import Layout
from shared.store import TrajectoryStore
from shared.trajectory import Cause, EnvironmentStamp, Trajectory
from trainer.bootstrap import (
    BootstrapConfig,
    Interval,
    bootstrap_mean,
    paired_difference,
    stratified_difference,
    stratified_mean,
)
from trainer.collection import Collected, CollectionConfig, Episode, Played, collect
from trainer.options import Options
from trainer.progress import Report
from trainer.rollout import Draft, EpisodeConfig, Player, SamplingConfig, play
from trainer.runs import check_run

Metric = Literal["success", "score", "score_clipped", "steps", "invalid_share", "repeated_share", "format_failures"]


class EvaluateConfig(Options):
    """How an evaluation samples, repeats and sums up; how its episodes are played is the environment's."""

    sampling: SamplingConfig = Field(default=SamplingConfig(logprobs=False), description="greedy unless said otherwise")
    collection: CollectionConfig = CollectionConfig()
    bootstrap: BootstrapConfig = BootstrapConfig()
    metric: Literal["success", "score", "score_clipped"] = Field(default="success", description="the figure that leads")


class TaskResult(BaseModel):
    """One episode. Shares are of the executed steps.

    ``score`` is the benchmark's own as a fraction; ScienceWorld's is negative (down to -1) after an irreparable
    mistake. A step is repeated when the same action got the same observation earlier in the episode.
    ``format_failures`` counts answers that were no ReAct turn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task_id: str
    type: str
    attempt: int
    success: bool
    score: float
    steps: int
    ended: Ended
    cause: Cause | None
    invalid_share: float
    repeated_share: float
    format_failures: int


class EvaluationProtocol(BaseModel):
    """What has to be the same before two evaluations may be compared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: EnvironmentStamp
    splits: list[str]
    max_steps: int
    options: dict[str, str]
    prompt_version: str
    sampling: SamplingConfig
    seed: int
    attempts: int
    metric: str


class Evaluation(BaseModel):
    """The result of a checkpoint: JSON in, JSON out.

    ``metrics`` are means over tasks with bootstrap intervals. ``score`` averages negative scores as they are, which is
    how the benchmark's own harness reports them; ``score_clipped`` counts them as 0, as several papers do.
    ``by_type`` has the plain means of each task type. ``missing`` tasks were given up; their causes are in the store.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    checkpoint: str
    protocol: EvaluationProtocol
    episodes: int
    missing: list[str]
    context_overflows: int
    metrics: dict[Metric, Interval]
    by_type: dict[str, dict[Metric, float]]
    results: list[TaskResult]


METRICS: Final[dict[Metric, Callable[[TaskResult], float]]] = {
    "success": lambda result: float(result.success),
    "score": lambda result: result.score,
    "score_clipped": lambda result: max(0.0, result.score),
    "steps": lambda result: float(result.steps),
    "invalid_share": lambda result: result.invalid_share,
    "repeated_share": lambda result: result.repeated_share,
    "format_failures": lambda result: float(result.format_failures),
}


async def evaluate(
    run: str,
    tasks: Sequence[TaskInfo],
    environment: EnvironmentClient,
    student: Player,
    store: TrajectoryStore,
    episode: EpisodeConfig,
    config: EvaluateConfig,
    report: Report | None = None,
    *,
    layout: Layout = "turn",
) -> Evaluation:
    """Play ``tasks`` by the student, as ``episode`` says, into ``run`` and sum up; resumable.

    ``config.sampling`` is what the result states; the student must sample so. ``layout`` is that of the reflections it may
    have learnt, and part of the protocol. Raises ``invalid_recipe`` when the run holds episodes of another protocol,
    engine or checkpoint; ``data_not_found`` when no episode could be played; see :func:`trainer.collection.collect` for
    the rest.
    """
    await collect_evaluation(run, tasks, environment, student, store, episode, config, report, layout=layout)
    return await asyncio.to_thread(summarise, run, tasks, store, config)


async def collect_evaluation(
    run: str,
    tasks: Sequence[TaskInfo],
    environment: EnvironmentClient,
    student: Player,
    store: TrajectoryStore,
    episode: EpisodeConfig,
    config: EvaluateConfig,
    report: Report | None = None,
    *,
    layout: Layout = "turn",
) -> Collected:
    """The episodes of an evaluation, without its figures; see :func:`evaluate`."""
    info = await environment.info()
    await check_run(store, run, info, episode, layout, "student", await student.author())

    async def play_unit(unit: Episode) -> Played:
        async with await episode.open(environment, unit.task.id) as played:
            draft = Draft(info, played.view, layout)
            cause = await play(played, draft, student.begin(draft, unit.attempt), "student")
        return Played(draft.finish(unit.run, cause), kept=False)

    return await collect(run, tasks, play_unit, store, config.collection, report)


def summarise(run: str, tasks: Sequence[TaskInfo], store: TrajectoryStore, config: EvaluateConfig) -> Evaluation:
    """The result of the episodes that ``run`` holds of ``tasks``; see :func:`evaluate` for what it raises."""
    attempts: defaultdict[str, int] = defaultdict(int)
    wanted = {task.id for task in tasks}
    results: list[TaskResult] = []
    first: Trajectory | None = None
    authors: set[str] = set()
    for trajectory in store.trajectories(run):
        attempt = attempts[trajectory.task.id]
        attempts[trajectory.task.id] += 1
        if trajectory.task.id not in wanted or attempt >= config.collection.attempts:
            continue
        first = first or trajectory
        authors |= {step.author for step in trajectory.steps}
        results.append(task_result(trajectory, attempt))
    if first is None:
        raise RestepError("data_not_found", f"run {run!r} holds no episode of these tasks")
    if len(authors) > 1:
        raise RestepError("invalid_recipe", f"run {run!r} mixes checkpoints: {', '.join(sorted(authors))}")
    played = {result.task_id for result in results}
    return Evaluation(
        run=run,
        checkpoint=next(iter(authors), ""),
        protocol=_protocol(first, tasks, config),
        episodes=len(results),
        missing=[task.id for task in tasks if task.id not in played],
        context_overflows=sum(result.cause == "context_overflow" for result in results),
        metrics={metric: bootstrap_mean(list(per_task(results, metric).values()), config.bootstrap) for metric in METRICS},
        by_type=_by_type(results),
        results=results,
    )


def task_result(trajectory: Trajectory, attempt: int = 0) -> TaskResult:
    """The figures of one episode."""
    steps = [step for step in trajectory.steps if step.observation_hash is not None]
    count = max(1, len(steps))
    outcome = trajectory.outcome
    return TaskResult(
        task_id=trajectory.task.id,
        type=trajectory.task.type,
        attempt=attempt,
        success=outcome.success,
        score=outcome.score,
        steps=outcome.steps,
        ended=outcome.ended,
        cause=outcome.cause,
        invalid_share=sum(step.valid is False for step in steps) / count,
        repeated_share=(len(steps) - len({(step.action, step.observation_hash) for step in steps})) / count,
        format_failures=sum(step.format_error is not None for step in steps),
    )


def per_task(results: Sequence[TaskResult], metric: Metric) -> dict[str, float]:
    """The metric of every task, averaged over its attempts, by task id."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for result in results:
        values[result.task_id].append(METRICS[metric](result))
    return {task: sum(each) / len(each) for task, each in values.items()}


def compare(one: Evaluation, two: Evaluation, config: BootstrapConfig) -> dict[Metric, Interval]:
    """Paired differences ``two - one`` over the tasks that both played.

    Raises ``invalid_recipe`` when the protocols differ: such figures cannot be compared.
    """
    _check_comparable(one, two)
    return {
        metric: paired_difference(per_task(one.results, metric), per_task(two.results, metric), config) for metric in METRICS
    }


def average(evaluations: Sequence[Evaluation], metric: Metric, config: BootstrapConfig) -> Interval:
    """The metric averaged over evaluations in several environments, each counting the same."""
    return stratified_mean([list(per_task(one.results, metric).values()) for one in evaluations], config)


def compare_averages(pairs: Sequence[tuple[Evaluation, Evaluation]], metric: Metric, config: BootstrapConfig) -> Interval:
    """Paired difference ``two - one`` averaged over environments, each counting the same; see :func:`compare`."""
    for one, two in pairs:
        _check_comparable(one, two)
    return stratified_difference([(per_task(one.results, metric), per_task(two.results, metric)) for one, two in pairs], config)


def _check_comparable(one: Evaluation, two: Evaluation) -> None:
    if one.protocol != two.protocol:
        raise RestepError("invalid_recipe", f"{one.run} and {two.run} were evaluated under different protocols")


def _by_type(results: Sequence[TaskResult]) -> dict[str, dict[Metric, float]]:
    groups: defaultdict[str, list[TaskResult]] = defaultdict(list)
    for result in results:
        groups[result.type].append(result)
    return {name: {metric: _mean(per_task(group, metric)) for metric in METRICS} for name, group in sorted(groups.items())}


def _mean(values: dict[str, float]) -> float:
    return sum(values.values()) / len(values)


def _protocol(trajectory: Trajectory, tasks: Sequence[TaskInfo], config: EvaluateConfig) -> EvaluationProtocol:
    return EvaluationProtocol(
        environment=trajectory.environment,
        splits=sorted({task.split for task in tasks}),
        max_steps=trajectory.protocol.max_steps,
        options=trajectory.protocol.options,
        prompt_version=trajectory.protocol.prompt_version,
        sampling=config.sampling,
        seed=trajectory.seed,
        attempts=config.collection.attempts,
        metric=config.metric,
    )
