"""One episode from its first observation to a finished trajectory: what every collector is made of.

A :class:`Draft` records what happens; a :class:`Policy` says what to do next by reading it. An episode is one
coroutine; how many run at once is the business of :mod:`trainer.collection`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from pydantic import Field

from shared.client import EnvironmentClient, RemoteEpisode
from shared.protocol import EnvironmentInfo, SessionView, StepResult
from shared.react import (
    GO_ON,
    THOUGHT,
    Layout,
    Turn,
    first_message,
    lone_thought,
    prompt_version,
    system_prompt,
    turn_text,
)
from shared.trajectory import (
    PROVENANCE_LOSS,
    SCHEMA_VERSION,
    Cause,
    EnvironmentStamp,
    Outcome,
    Provenance,
    Role,
    Step,
    TaskStamp,
    Trajectory,
    VerdictStamp,
)
from shared.trajectory import Protocol as PlayProtocol
from trainer.options import Options

NOT_EXECUTED: Final = "This action was not carried out."
"""Observation of an error that was caught before execution; its step has no ``observation_hash``."""


class EpisodeConfig(Options):
    """How episodes are played: stamped into every trajectory as its protocol."""

    max_steps: int | None = Field(default=None, ge=1, description="step limit; None takes the environment's own")
    options: dict[str, str] = Field(default={}, description="session options of the environment")
    seed: int = Field(default=0, description="seed of the environment")

    async def open(self, environment: EnvironmentClient, task_id: str) -> RemoteEpisode:
        """A new episode of a task; use it as a context manager. Raises what :meth:`EnvironmentClient.open` raises."""
        return await environment.open(task_id, seed=self.seed, max_steps=self.max_steps, options=self.options)


class SamplingConfig(Options):
    """How the student's answers are drawn."""

    temperature: float = Field(default=0.0, ge=0.0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="nucleus")
    max_new_tokens: int = Field(default=96, ge=1, description="longest answer; a longer one is cut and counted")
    seed: int = Field(default=0, description="seed of the sampling, mixed with task, attempt and step")
    logprobs: bool = Field(
        default=True,
        description="store the log-probabilities of the sampled ids; their last digits depend on what else is in the batch, "
        "so without them a repeated collection is equal to the last bit",
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a policy said, and as whom. ``token_ids`` and ``logprobs`` are None for text that was not sampled.

    ``cut`` is true where the token limit ended it.
    """

    turn: Turn
    text: str
    role: Role
    author: str
    token_ids: list[int] | None = None
    logprobs: list[float] | None = None
    cut: bool = False


class Policy(Protocol):
    """Says what to do next in one episode."""

    async def act(self, draft: Draft) -> Answer | None:
        """The next answer, or None when the model's context has no room for one."""
        ...


def written(thought: str, action: str, role: Role, author: str) -> Answer:
    """An answer in the canonical form, by somebody who does not sample."""
    return Answer(Turn(thought, action), turn_text(thought, action), role, author)


class Player(Protocol):
    """Somebody who can play many episodes at once."""

    async def author(self) -> str:
        """The name its steps will carry, version included."""
        ...

    def begin(self, draft: Draft, attempt: int) -> Policy:
        """The policy of one episode."""
        ...


class Draft:
    """A trajectory that is being written. Grows at the end; what was written stays."""

    def __init__(self, info: EnvironmentInfo, view: SessionView, layout: Layout = "turn") -> None:
        """``layout``: where reflections stand, and so whether a thought may be a message of its own."""
        self.system = system_prompt(info.instruction)
        self.environment = EnvironmentStamp(name=info.name, engine_version=view.engine_version, data_version=view.data_version)
        self.task = TaskStamp(id=view.task.id, split=view.task.split, type=view.task.type, goal=view.task.goal)
        self.view = view
        self.layout: Layout = layout
        self.steps: list[Step] = []
        self.executed = 0
        self._last: StepResult | None = None

    @property
    def first_message(self) -> str:
        """The first user message."""
        return first_message(self.task.goal, self.view.observation)

    @property
    def over(self) -> bool:
        """Whether the environment ended the episode."""
        return self._last is not None and (self._last.done or self._last.truncated)

    @property
    def score(self) -> float:
        """The benchmark's score so far."""
        return self.view.score if self._last is None else self._last.score

    def carry_out(
        self,
        answer: Answer,
        result: StepResult,
        provenance: Provenance,
        *,
        verdict: VerdictStamp | None = None,
        repairs: int | None = None,
    ) -> Step:
        """Record an executed answer and what it led to."""
        self._last = result
        self.executed += 1
        return self._add(
            answer,
            answer.turn.action,
            provenance,
            verdict=verdict,
            repairs=repairs,
            observation=result.observation,
            observation_hash=result.observation_hash,
            reward=result.reward,
            score=result.score,
            valid=result.valid,
        )

    def hold_back(self, answer: Answer, verdict: VerdictStamp) -> Step:
        """Record an error that was caught before it was carried out: it costs no step and has no hash."""
        return self._add(
            answer,
            answer.turn.action,
            "error",
            verdict=verdict,
            observation=NOT_EXECUTED,
            reward=0.0,
            score=self.score,
        )

    def reflect(self, reflection: str, author: str, repairs: int, provenance: Provenance = "reflection") -> Step:
        """Record a reflection; its correction must come next, in the same turn or after :data:`GO_ON`.

        ``provenance`` is ``error`` where the correction was rejected and the reflection is a message of its own.
        """
        said = Answer(Turn(reflection, ""), f"{THOUGHT} {reflection}", "teacher", author)
        return self._add(said, None, provenance, repairs=repairs, observation=GO_ON if self.layout == "message" else None)

    def think(self, answer: Answer, thought: str, provenance: Provenance) -> Step:
        """Record an answer that is ``thought`` alone, and that :data:`GO_ON` is what follows."""
        return self._add(replace(answer, turn=Turn(thought, "")), None, provenance, observation=GO_ON)

    def _add(
        self,
        answer: Answer,
        action: str | None,
        provenance: Provenance,
        *,
        observation: str | None,
        verdict: VerdictStamp | None = None,
        repairs: int | None = None,
        observation_hash: str | None = None,
        reward: float | None = None,
        score: float | None = None,
        valid: bool | None = None,
    ) -> Step:
        step = Step(
            index=len(self.steps),
            role=answer.role,
            thought=answer.turn.thought,
            action=action,
            text=answer.text,
            observation=observation,
            observation_hash=observation_hash,
            reward=reward,
            score=score,
            valid=valid,
            provenance=provenance,
            loss=PROVENANCE_LOSS[provenance],
            repairs=repairs,
            verdict=verdict,
            author=answer.author,
            token_ids=answer.token_ids,
            logprobs=answer.logprobs,
            format_error=answer.turn.error,
        )
        self.steps.append(step)
        return step

    def finish(self, run: str, cause: Cause | None = None) -> Trajectory:
        """The sealed document. ``cause`` is why the player stopped, None where the environment ended the episode."""
        outcome = Outcome(
            success=self._last is not None and self._last.success,
            score=self.score,
            reward=sum(step.reward for step in self.steps if step.reward is not None),
            steps=self.executed,
            ended="done" if self._last is not None and self._last.done else "truncated",
            cause=cause,
        )
        return Trajectory(
            schema_version=SCHEMA_VERSION,
            id="",
            run=run,
            environment=self.environment,
            task=self.task,
            seed=self.view.seed,
            protocol=PlayProtocol(
                max_steps=self.view.max_steps,
                options=self.view.options,
                prompt_version=prompt_version(self.layout),
                system=self.system,
            ),
            observation=self.view.observation,
            outcome=outcome,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            steps=self.steps,
        ).sealed()


async def next_answer(draft: Draft, policy: Policy, thinking: Provenance) -> Answer | None:
    """The next answer that is to be carried out; None when the model's context has no room for one.

    Where reflections are messages of their own, a thought without an action is recorded with the provenance
    ``thinking``, answered, and the policy is asked again; once, so that an episode cannot go on in thoughts.
    """
    answer = await policy.act(draft)
    if answer is None or answer.cut or draft.layout == "turn":
        return answer
    thought = lone_thought(answer.text)
    if thought is None:
        return answer
    draft.think(answer, thought, thinking)
    return await policy.act(draft)


async def play(episode: RemoteEpisode, draft: Draft, policy: Policy, provenance: Provenance) -> Cause | None:
    """Play to the end without a teacher; returns why the player stopped before the environment did, if it did."""
    while not draft.over:
        answer = await next_answer(draft, policy, provenance)
        if answer is None:
            return "context_overflow"
        draft.carry_out(answer, await episode.step(answer.turn.action), provenance)
    return None
