"""Self-reflected trajectories (STeP, arXiv 2505.20023, stage 2): the student plays, a teacher watches every step.

At a bad step the teacher writes a reflection and a correction, the correction is carried out, and the student goes on
from there. So one trajectory holds the error, the insight and the way out, in the context in which they happened. The
error gets weight 0: it stays in the context and is not learnt.

What the paper leaves open is an option of :class:`ReflectConfig`; the defaults are the project's reading of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field, field_serializer

from shared.client import EnvironmentClient, RemoteEpisode
from shared.errors import RestepError
from shared.protocol import ERROR_DECISIONS, Decision, ExpertAdvice, StepResult, TaskInfo
from shared.react import ACTION, Layout, Turn
from shared.store import TrajectoryStore
from shared.trajectory import Cause, Outcome, Step
from trainer.collection import Collected, CollectionConfig, Episode, Played, collect
from trainer.options import Options
from trainer.progress import Report
from trainer.rollout import Answer, Draft, EpisodeConfig, Player, Policy, next_answer, written
from trainer.runs import check_run
from trainer.teacher.base import Advice, Repair, Situation, Teacher, Verdict
from trainer.teacher.expert import ExpertTeacher


class KeepRule(Options):
    """Which finished episodes are for training; the others stay in the store for analysis."""

    metric: Literal["success", "score"] = Field(default="success", description="success is the environment's own word")
    threshold: float = Field(default=1.0, description="least score that is kept, where the metric is the score")

    def keeps(self, outcome: Outcome) -> bool:
        """Whether an episode that ended so is for training."""
        return outcome.success if self.metric == "success" else outcome.score >= self.threshold


class ReflectConfig(Options):
    """How reflected trajectories are collected."""

    collection: CollectionConfig = CollectionConfig()
    judge: Literal["after", "before"] = Field(
        default="after",
        description="when a step is judged: after it was carried out (the teacher sees what it led to), or before (a bad "
        "step is held back; the environment's expert then judges it in a fork of the episode)",
    )
    privileged: bool = Field(default=True, description="whether the teacher may ask the environment's expert")
    errors: frozenset[Decision] = Field(default=ERROR_DECISIONS, description="verdicts that make a step an error")
    per_position: int = Field(default=2, ge=0, description="corrections at the same place of a task")
    per_episode: float = Field(default=1 / 3, ge=0.0, le=1.0, description="corrections as a share of the step limit")
    at_limit: Literal["stop", "go_on"] = Field(
        default="stop",
        description="when the corrections are used up: stop the episode, or let the student go on, its errors marked but "
        "not repaired",
    )
    check_corrections: bool = Field(
        default=True,
        description="let the environment's expert, where there is one, judge what a teacher other than itself corrected: a "
        "correction that it rejects is an error step, masked and to be repaired in its turn",
    )
    layout: Layout = Field(
        default="turn",
        description="where a reflection stands: `turn`, at the head of the turn that corrects; `message`, in a message of its "
        "own before it, which a fixed user message answers. Then a thought without an action is answered so in every stage, "
        "once, instead of being carried out",
    )
    keep: KeepRule = KeepRule()

    @field_serializer("errors")
    def _sorted(self, errors: frozenset[Decision]) -> list[Decision]:
        return sorted(errors)  # a set has another order in every process, and recipes are compared


async def collect_reflected(
    run: str,
    tasks: Sequence[TaskInfo],
    environment: EnvironmentClient,
    student: Player,
    teacher: Teacher,
    store: TrajectoryStore,
    episode: EpisodeConfig,
    config: ReflectConfig,
    report: Report | None = None,
) -> Collected:
    """Play ``tasks`` by the student under the teacher's eyes, as ``episode`` says, into ``run``; resumable.

    Raises ``expert_disabled`` or ``not_supported`` when the teacher needs an expert that the server does not offer,
    ``invalid_recipe`` when the run holds episodes of another protocol or engine; see
    :func:`trainer.collection.collect` for the rest.
    """
    info = await environment.info()
    await check_run(store, run, info, episode, config.layout, "student", await student.author())
    expert = ExpertTeacher(info.name, info.engine_version)
    wanted = config.check_corrections and "expert" in info.capabilities
    checker = expert if wanted and teacher.name != expert.name else None  # nobody checks himself

    async def play(unit: Episode) -> Played:
        async with await episode.open(environment, unit.task.id) as played:
            draft = Draft(info, played.view, config.layout)
            lesson = _Lesson(played, draft, student.begin(draft, unit.attempt), teacher, checker, config)
            trajectory = draft.finish(unit.run, await lesson.run())
        return Played(trajectory, kept=config.keep.keeps(trajectory.outcome))

    return await collect(run, tasks, play, store, config.collection, report)


class _Lesson:
    """One episode of a student with its teacher."""

    def __init__(
        self,
        episode: RemoteEpisode,
        draft: Draft,
        policy: Policy,
        teacher: Teacher,
        checker: Teacher | None,
        config: ReflectConfig,
    ) -> None:
        self._episode, self._draft, self._policy = episode, draft, policy
        self._teacher, self._checker, self._config = teacher, checker, config
        self._budget = max(1, int(config.per_episode * draft.view.max_steps)) if config.per_episode > 0 else 0
        self._corrections: Counter[str] = Counter()
        self._seen, self._standing = 0, self._advice(0)

    async def run(self) -> Cause | None:
        """Play to the end; returns why the player stopped before the environment did, if it did."""
        while not self._draft.over:
            # Nobody judges a thought without an action, so it is not learnt.
            answer = await next_answer(self._draft, self._policy, "error")
            if answer is None:
                return "context_overflow"
            cause = await (self._after(answer) if self._config.judge == "after" else self._before(answer))
            if cause is not None:
                return cause
        return None

    async def _after(self, answer: Answer) -> Cause | None:
        """Carry the answer out, then judge it."""
        situation, result = await self._execute(answer)
        verdict = await self._teacher.judge(situation)
        if not self._is_error(verdict):
            self._accept(answer, result, verdict)
            return None
        error = self._draft.carry_out(answer, result, "error", verdict=verdict.stamp())
        return await self._mend(situation, verdict, error)

    async def _before(self, answer: Answer) -> Cause | None:
        """Judge the answer; carry it out when it is right, or when it may not be repaired any more."""
        after, here = _once(lambda: self._foresee(answer.turn.action)), self._advice_here()
        situation = self._situation(answer, None, after, here, here)
        verdict = await self._teacher.judge(situation)
        if not self._is_error(verdict):
            self._accept(answer, await self._episode.step(answer.turn.action), verdict)
            return None
        repair = await self._teacher.repair(situation, verdict)
        if repair is not None and self._affords(repair):
            return await self._correct(repair, self._draft.hold_back(answer, verdict.stamp()))
        self._draft.carry_out(answer, await self._episode.step(answer.turn.action), "error", verdict=verdict.stamp())
        if repair is None or self._config.at_limit == "go_on":
            return None
        return None if self._draft.over else "correction_limit"

    async def _execute(self, answer: Answer) -> tuple[Situation, StepResult]:
        """Carry an answer out; the situation it has led to, not yet recorded."""
        before = self._advice_here()
        result = await self._episode.step(answer.turn.action)
        here = self._advice_here()
        return self._situation(answer, result, here, here, before), result

    async def _mend(self, situation: Situation, verdict: Verdict, error: Step) -> Cause | None:
        """Repair an error that was carried out, if that can be and the limits allow it."""
        if self._draft.over:
            return None
        if verdict.decision == "fatal":
            return "fatal_step"
        repair = await self._teacher.repair(situation, verdict)
        if repair is None:
            return "fatal_step"
        if self._affords(repair):
            return await self._correct(repair, error)
        return "correction_limit" if self._config.at_limit == "stop" else None

    async def _correct(self, repair: Repair, error: Step) -> Cause | None:
        """Carry a correction out, and record it with its reflection as the layout has it; rejected, both are errors."""
        draft, name, apart = self._draft, self._teacher.name, self._draft.layout == "message"
        answer = written(repair.plan if apart else f"{repair.reflection} {repair.plan}", repair.action, "teacher", name)
        situation, result = await self._execute(answer)
        verdict = await self._check(situation)
        stamp = None if verdict is None else verdict.stamp()
        if verdict is not None and self._is_error(verdict):
            if apart:
                reflection = draft.reflect(repair.reflection, name, error.index, "error")
                situation = replace(situation, history=(*situation.history, reflection))
            rejected = draft.carry_out(answer, result, "error", verdict=stamp, repairs=error.index)
            told = verdict if self._config.privileged else replace(verdict, reason="")
            return await self._mend(situation, told, rejected)
        draft.reflect(repair.reflection, name, error.index)
        if not apart:
            text = f" {repair.plan}\n{ACTION} {repair.action}"
            answer = replace(answer, turn=Turn(repair.plan, repair.action), text=text)
        draft.carry_out(answer, result, "correction", verdict=stamp, repairs=error.index)
        return None

    async def _check(self, situation: Situation) -> Verdict | None:
        """The expert's verdict on a correction; None without an expert, or where it has none."""
        if self._checker is None:
            return None
        here = self._standing
        try:
            return await self._checker.judge(replace(situation, after=here, here=here))
        except RestepError as error:
            if error.code != "expert_failed":
                raise
            return None

    def _accept(self, answer: Answer, result: StepResult, verdict: Verdict) -> None:
        """A right action; in a broken format it needs no repair, but must not be learnt either."""
        self._draft.carry_out(answer, result, "error" if answer.turn.error else "student", verdict=verdict.stamp())

    async def _foresee(self, action: str) -> ExpertAdvice:
        """The expert's word on an action, tried out in a fork of the episode."""
        async with await self._episode.fork() as trial:
            await trial.step(action)
            return await trial.expert()

    def _affords(self, repair: Repair) -> bool:
        """Count the correction if the limits allow it."""
        if self._corrections.total() >= self._budget or self._corrections[repair.position] >= self._config.per_position:
            return False
        self._corrections[repair.position] += 1
        return True

    def _is_error(self, verdict: Verdict) -> bool:
        return verdict.decision in self._config.errors

    def _situation(self, answer: Answer, result: StepResult | None, after: Advice, here: Advice, before: Advice) -> Situation:
        draft = self._draft
        situation = Situation(
            draft.task, draft.system, draft.view.observation, tuple(draft.steps), answer.turn, result, None, None
        )
        return replace(situation, after=after, here=here, before=before) if self._config.privileged else situation

    def _advice_here(self) -> Advice:
        """The expert's word on the present state, which may be asked for when the episode has moved on."""
        if self._seen != len(self._episode.steps):
            self._seen = len(self._episode.steps)
            self._standing = self._advice(self._seen)
        return self._standing

    def _advice(self, seq: int) -> Advice:
        async def ask() -> ExpertAdvice:
            if seq == len(self._episode.steps):
                return await self._episode.expert()
            async with await self._episode.fork(seq) as earlier:
                return await earlier.expert()

        return _once(ask)


def _once(ask: Advice) -> Advice:
    """The same question with its answer remembered."""
    answers: list[ExpertAdvice] = []

    async def asked() -> ExpertAdvice:
        if not answers:
            answers.append(await ask())
        return answers[0]

    return asked
