"""Trajectory schema, version 1: one document per episode, from collection through the store to the token mask.

A *step* is one piece of assistant text with one provenance. Most steps are a whole answer (thought, action and the
observation that followed). A step without an action was never carried out. With an observation, it was a message of
its own and the observation is the user message that followed; without one it is a reflection that opens the answer
which its successor, the correction, completes. Either way a reflection keeps its own provenance and weight.
``loss`` has no default: a document that does not say what is trained is refused, never guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import RestepError
from shared.protocol import Ended

SCHEMA_VERSION: Final = 1

Role = Literal["student", "teacher", "expert"]
Provenance = Literal["golden", "student", "error", "reflection", "correction"]

PROVENANCE_LOSS: Final[Mapping[Provenance, float]] = {
    "golden": 1.0,
    "student": 1.0,
    "reflection": 1.0,
    "correction": 1.0,
    "error": 0.0,
}
"""delta_i of STeP (arXiv 2505.20023): zero on erroneous steps, one on all others. Ablations override it by name."""


class _Part(BaseModel):
    # JSON has no NaN: one that got in could not be read back.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EnvironmentStamp(_Part):
    """Which environment, exactly."""

    name: str
    engine_version: str
    data_version: str


class TaskStamp(_Part):
    """Which task."""

    id: str
    split: str
    type: str
    goal: str


class Protocol(_Part):
    """How the episode was played: the limit, the session options, and the prompt's version and system text."""

    max_steps: int
    options: dict[str, str]
    prompt_version: str
    system: str


class VerdictStamp(_Part):
    """A judge's word on a step. ``prompt_hash`` is None for a judge without a prompt."""

    judge: str
    prompt_hash: str | None
    decision: str
    reason: str
    raw: dict[str, Any] | None = None


class Step(_Part):
    """One piece of assistant text; see the module's opening for steps without an action.

    ``repairs`` is the index of the error step this one answers. ``token_ids`` are the sampled ids, stop token
    included, and None for text that was written, not sampled. ``score`` after the action, ``reward`` its change.
    """

    index: int
    role: Role
    thought: str
    action: str | None
    text: str
    observation: str | None
    observation_hash: str | None
    reward: float | None
    score: float | None
    valid: bool | None
    provenance: Provenance
    loss: Annotated[float, Field(ge=0.0, le=1.0)]
    repairs: int | None = None
    verdict: VerdictStamp | None = None
    author: str
    token_ids: list[int] | None = None
    logprobs: list[float] | None = None
    format_error: str | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.action is None:
            coherent = self.observation_hash is None and (self.provenance == "reflection" or self.observation is not None)
        else:
            coherent = self.observation is not None and self.provenance != "reflection"
        if not coherent:
            raise ValueError("a step has an action and an observation, or no action and is a reflection or was answered")
        if self.logprobs is not None and (self.token_ids is None or len(self.logprobs) != len(self.token_ids)):
            raise ValueError("logprobs must match token_ids one to one")
        return self


Cause = Literal["context_overflow", "fatal_step", "correction_limit"]


class Outcome(_Part):
    """How it ended. ``steps`` counts executed actions.

    ``cause`` says why the player stopped an episode that the environment would have let go on (``truncated``):
    the model's context was full, a step made success impossible, or the teacher's corrections were used up.
    """

    success: bool
    score: float
    reward: float
    steps: int
    ended: Ended
    cause: Cause | None = None


class Trajectory(_Part):
    """One episode. ``observation`` is the first one; ``id`` is the hash of the content (not of run and time)."""

    schema_version: Annotated[int, Field(alias="schema")]
    id: str
    run: str
    environment: EnvironmentStamp
    task: TaskStamp
    seed: int
    protocol: Protocol
    observation: str
    outcome: Outcome
    created: str = Field(description="ISO 8601, UTC")
    steps: list[Step]

    model_config = ConfigDict(
        extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for position, step in enumerate(self.steps):
            if step.index != position:
                raise ValueError(f"step {position} carries index {step.index}")
            if step.repairs is not None and not 0 <= step.repairs < position:
                raise ValueError(f"step {position} repairs {step.repairs}, which does not precede it")
            if step.provenance == "reflection" and (
                position + 1 == len(self.steps) or self.steps[position + 1].provenance != "correction"
            ):
                raise ValueError(f"reflection {position} is not followed by its correction")
        return self

    def content_hash(self) -> str:
        """First 32 hex digits of the SHA-256 of the canonical document without id, run and creation time."""
        body = self.model_dump(mode="json", by_alias=True, exclude={"id", "run", "created"})
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]

    def sealed(self) -> Trajectory:
        """The same document with its id set to the content hash."""
        return self.model_copy(update={"id": self.content_hash()})

    def dumps(self) -> bytes:
        """One JSON line, newline excluded."""
        return orjson.dumps(self.model_dump(mode="json", by_alias=True))


def load_trajectory(raw: bytes | str | Mapping[str, Any]) -> Trajectory:
    """Read and check one document. Raises ``invalid_trajectory`` for a newer schema, unknown fields or a wrong id."""
    try:
        body = orjson.loads(raw) if isinstance(raw, bytes | str) else dict(raw)
        if isinstance(body, dict) and body.get("schema") != SCHEMA_VERSION:
            raise RestepError("invalid_trajectory", f"schema {body.get('schema')!r}; this version reads {SCHEMA_VERSION}")
        trajectory = Trajectory.model_validate(body)
    except orjson.JSONDecodeError as error:
        raise RestepError("invalid_trajectory", f"not JSON: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RestepError("invalid_trajectory", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if trajectory.id != trajectory.content_hash():
        raise RestepError("invalid_trajectory", f"id {trajectory.id} does not match the content")
    return trajectory
