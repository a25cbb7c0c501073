"""One table of everything that can go wrong, and the exceptions that carry a row of it.

Servers turn a :class:`RestepError` into RFC 9457 problem details, clients turn problem details back into the
same :class:`RestepError`, and the command line prints its one line. A code that is not in :data:`ERRORS`
cannot be raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

PROBLEM_TYPE: Final = "https://restep.dev/problems/"
PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row: HTTP status, human title, and whether the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False


ERRORS: Final[dict[str, ErrorKind]] = {
    # the request
    "invalid_request": ErrorKind(422, "The request does not match the schema"),
    "malformed_json": ErrorKind(400, "The body is not valid JSON"),
    "body_too_large": ErrorKind(413, "The body is larger than this server accepts"),
    "head_too_large": ErrorKind(431, "The request line and headers are larger than this server accepts"),
    "action_too_large": ErrorKind(413, "The action is longer than this server accepts"),
    "unauthorized": ErrorKind(401, "A valid bearer token is required"),
    "foreign_page": ErrorKind(403, "The request comes from a page of another server"),
    "foreign_host": ErrorKind(421, "The server does not answer to this name"),
    "route_not_found": ErrorKind(404, "No such route"),
    "method_not_allowed": ErrorKind(405, "The route does not take this method"),
    # environments
    "unknown_task": ErrorKind(404, "No such task"),
    "unknown_split": ErrorKind(404, "No such split"),
    "invalid_option": ErrorKind(422, "The environment does not know this option or value"),
    "not_supported": ErrorKind(422, "This server does not offer the capability"),
    "expert_disabled": ErrorKind(403, "The expert route is not enabled on this server"),
    "expert_failed": ErrorKind(500, "The expert could not judge this state"),
    "nothing_bought": ErrorKind(409, "Nothing has been bought in this episode"),
    # sessions
    "session_not_found": ErrorKind(404, "No such session"),
    "session_gone": ErrorKind(410, "The session was closed or its lease expired"),
    "session_conflict": ErrorKind(409, "The session id is in use for a different episode"),
    "step_conflict": ErrorKind(409, "This step number was executed with another action"),
    "step_gap": ErrorKind(409, "A step before this one is missing"),
    "history_full": ErrorKind(409, "The session keeps as much history as it may"),
    "episode_over": ErrorKind(409, "The episode has ended"),
    "replay_diverged": ErrorKind(500, "Replaying the recorded actions gave other observations"),
    # load
    "over_capacity": ErrorKind(429, "The server holds as many sessions as it may", retryable=True),
    "too_many_sessions": ErrorKind(429, "The client holds as many sessions as it may", retryable=True),
    "queue_full": ErrorKind(429, "Too much work is queued", retryable=True),
    "draining": ErrorKind(503, "The server is shutting down", retryable=True),
    "not_ready": ErrorKind(503, "The server is not ready yet", retryable=True),
    "engine_lost": ErrorKind(503, "The engine died and could not be recovered in time", retryable=True),
    "engine_failed": ErrorKind(500, "The engine could not be started"),
    "timeout": ErrorKind(504, "The work took longer than allowed", retryable=True),
    "internal": ErrorKind(500, "Internal error"),
    # agent
    "unknown_model": ErrorKind(404, "No such model or checkpoint"),
    "unsuitable_model": ErrorKind(422, "The checkpoint cannot be served by this back end"),
    "prompt_too_long": ErrorKind(422, "The prompt leaves no room in the model's context"),
    "backend_failed": ErrorKind(502, "The inference back end failed", retryable=True),
    # a language model that is asked
    "malformed_answer": ErrorKind(500, "The model's answer does not have the form that was asked for"),
    "budget_exhausted": ErrorKind(402, "The budget for the model is used up"),
    # clients and the command line
    "unreachable": ErrorKind(503, "The server cannot be reached", retryable=True),
    "servers_differ": ErrorKind(409, "The servers behind one client do not serve the same"),
    "protocol_violation": ErrorKind(502, "The server's answer does not follow the protocol"),
    "invalid_recipe": ErrorKind(422, "The recipe is wrong"),
    "invalid_trajectory": ErrorKind(422, "The trajectory does not match the schema"),
    "data_not_found": ErrorKind(404, "The data is not there"),
    "data_corrupt": ErrorKind(500, "The data is damaged"),
    "data_not_written": ErrorKind(500, "The data cannot be written"),
    "download_failed": ErrorKind(502, "The download failed", retryable=True),
    "checkpoint_not_found": ErrorKind(404, "No such checkpoint"),
    "unsuitable_template": ErrorKind(422, "The chat template cannot be rendered append-only"),
    "store_failed": ErrorKind(500, "The trajectory store cannot be read or written"),
    "port_in_use": ErrorKind(409, "The port is in use"),
    "code_differs": ErrorKind(409, "Another version of restep is at work elsewhere"),
    "worker_lost": ErrorKind(503, "A worker died again and again", retryable=True),
    "missing_extra": ErrorKind(500, "An optional part of restep is not installed"),
}


class Problem(BaseModel):
    """RFC 9457 problem details with the two members our clients act on: ``code`` and ``retryable``."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    instance: str | None = None
    retry_after: float | None = None


class RestepError(Exception):
    """A failure with a row in :data:`ERRORS`.

    ``retry_after`` is in seconds; it becomes the Retry-After header and is what a client waits.
    """

    def __init__(self, code: str, detail: str = "", *, retry_after: float | None = None) -> None:
        self.kind = ERRORS[code]
        self.code = code
        self.detail = detail or self.kind.title
        self.retry_after = retry_after
        super().__init__(f"{code}: {self.detail}")

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.kind.retryable

    def problem(self, instance: str | None = None) -> Problem:
        """The RFC 9457 document for this failure."""
        return Problem(
            type=PROBLEM_TYPE + self.code,
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            code=self.code,
            retryable=self.retryable,
            instance=instance,
            retry_after=self.retry_after,
        )

    @classmethod
    def from_problem(cls, problem: Problem) -> RestepError:
        """The exception a server raised, rebuilt at the client; an unknown code becomes ``protocol_violation``."""
        if problem.code not in ERRORS:
            return cls("protocol_violation", f"unknown problem code {problem.code!r}: {problem.detail}")
        return cls(problem.code, problem.detail, retry_after=problem.retry_after)


class EngineLost(Exception):
    """Raised by an environment when the process or JVM behind an episode died.

    Never leaves the server: the session is replayed on a healthy engine, and only when that fails too does the
    client see ``engine_lost``.
    """
