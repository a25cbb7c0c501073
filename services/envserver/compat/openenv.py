"""The OpenEnv protocol (PyPI ``openenv-core``, 0.3): a WebSocket at ``/ws`` that plays one episode after another.

``reset`` takes what our creation takes (``task_id``, or ``split`` and ``index``, ``max_steps``, ``options``,
``include``); with neither task nor index, the seed chooses the task. An action is ``{"action": "go east"}``.
A socket that goes, in whatever way, gives its session back; one that only sleeps loses it to the lease.
OpenEnv's REST ``/reset`` and ``/step`` begin a new environment at every call, so an episode cannot be played with
them; they are left out.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import orjson
from fastapi import APIRouter, Request, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.envserver.routes.common import EVERYWHERE, service_of
from services.envserver.service import Service
from services.envserver.session import Session
from services.http.boundary import declared
from services.http.clients import client_of
from services.http.problems import as_error, from_validation
from shared.errors import RestepError
from shared.protocol import CreateSession, Extra, StepRequest, StepResult

router = APIRouter(tags=["compatibility: OpenEnv"])

_CODES: Final = {
    "malformed_json": "INVALID_JSON",
    "invalid_request": "VALIDATION_ERROR",
    "invalid_option": "VALIDATION_ERROR",
    "over_capacity": "CAPACITY_REACHED",
    "too_many_sessions": "CAPACITY_REACHED",
    "session_gone": "SESSION_ERROR",
    "session_not_found": "SESSION_ERROR",
}
"""Our codes as OpenEnv's; every other failure is its EXECUTION_ERROR, and the message begins with our code."""


class Message(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["reset", "step", "state", "close"]
    data: dict[str, Any] = {}


class Reset(BaseModel):
    """The ``data`` of a reset."""

    model_config = ConfigDict(extra="ignore")

    seed: int | None = Field(default=None, ge=0)
    episode_id: str | None = Field(default=None, max_length=255)
    task_id: str | None = None
    split: str | None = None
    index: int | None = Field(default=None, ge=0)
    max_steps: int | None = None
    options: dict[str, str] = {}
    include: list[Extra] = []


class Action(BaseModel):
    """The ``data`` of a step."""

    model_config = ConfigDict(extra="forbid")

    action: str
    metadata: dict[str, Any] = {}


class Observation(BaseModel):
    """What a reset or a step shows. ``goal`` comes with a reset; ``success`` and the like tell how a step went."""

    text: str
    goal: str | None = None
    score: float = 0.0
    success: bool = False
    valid: bool = True
    truncated: bool = False
    admissible_actions: list[str] | None = None


class State(BaseModel):
    """Where the episode stands. ``episode_id`` is the client's name for it, or else our session's id."""

    episode_id: str | None = None
    step_count: int = 0
    task_id: str | None = None


class Connection:
    """One socket's conversation, without the socket."""

    def __init__(self, service: Service, client: str) -> None:
        self._service = service
        self._client = client
        self._session: Session | None = None
        self._episode_id: str | None = None

    async def answer(self, raw: str | bytes) -> bytes | None:
        """The reply to one message; None after ``close``. Never raises: failures are OpenEnv error messages."""
        try:
            self._service.require_loaded()
            message = Message.model_validate_json(raw)
            if message.type == "close":
                return None
            kind, data = await self._dispatch(message)
        except ValidationError as error:
            kind, data = "error", _failure(from_validation(error))
        except Exception as error:  # noqa: BLE001 - the socket outlives any one failure
            kind, data = "error", _failure(as_error(error))
        return orjson.dumps({"type": kind, "data": data})

    async def _dispatch(self, message: Message) -> tuple[str, dict[str, Any]]:
        if message.type == "reset":
            return "observation", await self._reset(Reset.model_validate(message.data))
        if message.type == "step":
            return "observation", await self._step(Action.model_validate(message.data))
        return "state", self._state().model_dump()

    async def end(self) -> None:
        """Give the session back."""
        session, self._session = self._session, None
        if session is not None:
            await self._service.sessions.close(session.id)

    async def _reset(self, asked: Reset) -> dict[str, Any]:
        await self.end()
        creation = CreateSession(
            **asked.model_dump(include={"task_id", "split", "index", "max_steps", "options", "include"}), seed=asked.seed or 0
        )
        if creation.task_id is None and creation.index is None:
            split = creation.split or self._service.environment.info().splits[0].name
            count = len(self._service.environment.tasks(split))
            creation = creation.model_copy(update={"split": split, "index": creation.seed % count})
        self._session, _ = await self._service.sessions.create(None, creation, self._client)
        self._episode_id = asked.episode_id or self._session.id
        view = self._session.view(self._service.sessions.lease)
        seen = Observation(text=view.observation, goal=view.task.goal, admissible_actions=view.admissible_actions)
        return {"observation": seen.model_dump(), "reward": None, "done": False}

    async def _step(self, asked: Action) -> dict[str, Any]:
        if self._session is None:
            raise RestepError("session_not_found", "reset before the first step")
        step = StepRequest(seq=len(self._session.results) + 1, action=asked.action)
        return _shown(await self._service.step(self._session.id, step))

    def _state(self) -> State:
        if self._session is None:
            return State()
        return State(episode_id=self._episode_id, step_count=len(self._session.results), task_id=self._session.plan.task.id)


def _shown(result: StepResult) -> dict[str, Any]:
    seen = Observation(
        text=result.observation,
        score=result.score,
        success=result.success,
        valid=result.valid,
        truncated=result.truncated,
        admissible_actions=result.admissible_actions,
    )
    return {"observation": seen.model_dump(), "reward": result.reward, "done": result.done or result.truncated}


def _failure(error: RestepError) -> dict[str, str]:
    return {"message": f"{error.code}: {error.detail}", "code": _CODES.get(error.code, "EXECUTION_ERROR")}


@router.websocket("/ws")
async def converse(socket: WebSocket) -> None:
    """One client for as long as it stays."""
    await socket.accept()
    connection = Connection(socket.app.state.service, client_of(socket.scope))
    try:
        while (reply := await connection.answer(await _received(socket))) is not None:
            await socket.send_text(reply.decode())
        await socket.close()
    except WebSocketDisconnect:
        return
    finally:
        await connection.end()


async def _received(socket: WebSocket) -> str | bytes:
    """The next message, whichever kind of frame it came in. Raises WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    text: str | None = message.get("text")
    return message["bytes"] if text is None else text


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


@router.get("/health", response_class=Response)
async def health() -> Response:
    """OpenEnv's liveness probe."""
    return _json({"status": "healthy"})


@router.get("/metadata", response_class=Response, responses=declared(*EVERYWHERE))
async def metadata(request: Request) -> Response:
    """OpenEnv's description of the environment."""
    info = service_of(request).info()
    return _json({"name": info.name, "description": info.instruction, "version": info.engine_version})


@router.get("/schema", response_class=Response)
async def schema() -> Response:
    """JSON schemas of action, observation and state."""
    models = {"action": Action, "observation": Observation, "state": State}
    return _json({name: model.model_json_schema() for name, model in models.items()})
