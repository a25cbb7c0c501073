"""The wire protocol of an environment server: what goes over HTTP, as pydantic models.

Server and client share these classes, so that the two cannot drift apart; OpenAPI is generated from them.
Requests refuse unknown fields, answers ignore them, so that an older client reads a newer server.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Problem

PROTOCOL_VERSION = "1"

MAX_STEPS = 10_000
"""No episode is longer; a server may allow less."""

SessionId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$", examples=["4b1e7c1e-6a0f-4c1c-9a53-0d9b8f1f2a10"])
]
_SESSION_ID_LENGTH: Final = 128
Extra = Literal["admissible_actions"]
Ended = Literal["done", "truncated", "error"]
Decision = Literal["useful", "exploring", "needless", "invalid", "harmful", "fatal"]
"""What a step did for the goal. ``useful`` and ``exploring`` are right; the others are errors, worst last."""

ERROR_DECISIONS: frozenset[Decision] = frozenset({"needless", "invalid", "harmful", "fatal"})


def observation_hash(observation: str) -> str:
    """First 16 hex digits of the SHA-256 of the text: what replay is checked by."""
    return hashlib.sha256(observation.encode()).hexdigest()[:16]


def fork_id(session_id: str) -> str:
    """A new id for a fork of a session, ``NAME.xxxx``: a gateway routes by NAME, and so finds both on one server.

    NAME is what stands before the first ``.`` or ``:`` of the session's id. One too long to be continued gives an id
    without it.
    """
    name = re.match("[A-Za-z0-9_-]*", session_id)
    made = f"{name[0] if name else ''}.{uuid4().hex}"
    return made if len(made) <= _SESSION_ID_LENGTH else str(uuid4())


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


# --- the environment -----------------------------------------------------------------------------------------


class SplitInfo(_Answer):
    """A named set of tasks and how many it holds."""

    name: str
    tasks: int


class OptionInfo(_Answer):
    """A per-session option, its values (empty: free text) and the one taken when it is not given."""

    name: str
    description: str
    default: str
    values: list[str] = []


class EnvironmentInfo(_Answer):
    """What an environment server is: versions to stamp into data, and what a client needs to play."""

    name: str
    protocol: str = PROTOCOL_VERSION
    engine_version: str
    data_version: str = Field(description="content hash of the data behind the tasks")
    splits: list[SplitInfo]
    task_types: list[str]
    action_grammar: list[str] = Field(description="one action template a line, placeholders in capitals")
    instruction: str = Field(description="what an agent is told about this environment, action grammar included")
    max_steps: int = Field(description="default step limit of an episode")
    options: list[OptionInfo] = []
    capabilities: list[str] = Field(default=[], description="of: expert, admissible_actions, fork")
    capacity: int = Field(default=0, description="sessions this server may hold")
    sessions: int = Field(default=0, description="sessions it holds now")


class TaskInfo(_Answer):
    """A task: ``id`` is stable across workers, seeds, file order and machines."""

    id: str
    split: str
    type: str
    goal: str = ""


class TaskPage(_Answer):
    """A slice of the tasks that match, and how many match in all."""

    tasks: list[TaskInfo]
    total: int
    offset: int
    limit: int


# --- sessions ------------------------------------------------------------------------------------------------


_BY_ID: Final[dict[str, Any]] = {
    "required": ["task_id"],
    "properties": {"task_id": {"type": "string"}, "split": {"type": "null"}, "index": {"type": "null"}},
}
_BY_INDEX: Final[dict[str, Any]] = {
    "required": ["split", "index"],
    "properties": {"task_id": {"type": "null"}, "split": {"type": "string"}, "index": {"type": "integer"}},
}


class CreateSession(_Request):
    """Which episode to begin: a task by id, or by split and index."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"task_id": "find-plant/3", "options": {"simplification": "easy"}}],
            "oneOf": [_BY_ID, _BY_INDEX],
        },
    )

    task_id: str | None = None
    split: str | None = None
    index: int | None = Field(default=None, ge=0)
    seed: int = 0
    max_steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    options: dict[str, str] = {}
    include: list[Extra] = []


class CreateNamedSession(CreateSession):
    """The same with an optional id of the client's choice, for people with curl."""

    session_id: SessionId | None = None


class StepRequest(_Request):
    """The ``seq``-th action of an episode; the first is 1. Repeating a step returns the recorded answer."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"seq": 1, "action": "open door to hallway"}]})

    seq: int = Field(ge=1)
    action: str
    include: list[Extra] = []


class StepResult(_Answer):
    """What one action did. ``score`` is the benchmark's own as a fraction, ``reward`` its change in this step."""

    seq: int
    action: str
    observation: str
    observation_hash: str
    reward: float
    score: float
    done: bool = Field(description="the engine ended the episode")
    truncated: bool = Field(description="the step limit ended the episode")
    success: bool
    valid: bool = Field(description="the engine understood the action")
    admissible_actions: list[str] | None = None


class SessionView(_Answer):
    """A session as it stands: what it plays, its first observation, and where it is."""

    session_id: str
    task: TaskInfo
    seed: int
    max_steps: int
    options: dict[str, str]
    observation: str = Field(description="first observation of the episode")
    observation_hash: str
    admissible_actions: list[str] | None = Field(
        default=None, description="in the first state; only when asked for at creation"
    )
    seq: int = Field(description="steps executed so far")
    score: float
    done: bool
    truncated: bool
    success: bool
    engine_version: str
    data_version: str
    expires_in: float = Field(description="seconds until the idle lease ends")


class SessionHistory(SessionView):
    """A session with every step executed."""

    steps: list[StepResult]


class SessionPage(_Answer):
    """A slice of the sessions a server holds."""

    sessions: list[SessionView]
    total: int
    offset: int
    limit: int


class ForkRequest(_Request):
    """Copy a session's state after ``at_seq`` steps (default: all) into a new, independent session."""

    at_seq: int | None = Field(default=None, ge=0)
    session_id: SessionId | None = None


class BatchStep(StepRequest):
    """One step of a batch, with the session it belongs to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"session_id": "4b1e7c1e-6a0f-4c1c-9a53-0d9b8f1f2a10", "seq": 1, "action": "open door to hallway"}]
        },
    )

    session_id: SessionId


class BatchRequest(_Request):
    """Steps of many sessions in one request; each is answered on its own."""

    steps: list[BatchStep] = Field(min_length=1, max_length=1024)


class BatchItem(_Answer):
    """The answer to one step of a batch: its result or its own problem."""

    session_id: str
    result: StepResult | None = None
    problem: Problem | None = None


class BatchAnswer(_Answer):
    """Answers in the order of the request."""

    results: list[BatchItem]


# --- privileged ----------------------------------------------------------------------------------------------


class StepVerdict(_Answer):
    """What the environment's expert says of the last step, established by counterfactual replay.

    ``distance`` counts the actions of the best expert continuation known (None: none found).
    """

    decision: Decision
    reason: str
    distance_before: int | None
    distance_after: int | None


class ExpertAdvice(_Answer):
    """The expert's continuation from the present state, and its verdict on the step that led here."""

    seq: int
    actions: list[str] = Field(description="a continuation that reaches the goal from here; empty when none is known")
    thought: str = Field(default="", description="a truthful sentence naming the sub-goal of the next action")
    reachable: bool = Field(description="an expert continuation reaches the goal within the step limit")
    verdict: StepVerdict | None = Field(default=None, description="on the last step; None before the first")


class Health(_Answer):
    """Liveness or readiness; what is not is a problem document."""

    status: Literal["ok"] = "ok"
    detail: dict[str, Any] = {}
