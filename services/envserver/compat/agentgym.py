"""AgentGym's routes under ``/agentgym`` (its clients take that as ``env_server_base``), in its ScienceWorld shape.

A client creates a slot, resets it to a task by ``data_idx`` and steps it. Unlike there, an error has an error's
status (a problem document instead of 200 and ``{"error"}``), and ``/close``, which its clients send, exists.
A slot holds no engine: its session does, and lives on a lease.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.envserver.routes.common import BODY, ENGINE, EVERYWHERE, SESSION, service_of
from services.envserver.service import Service
from services.envserver.session import Session
from services.http.boundary import declared
from services.http.clients import client_of
from services.http.wire import body_of, read
from shared.agentgym import LEFT_OUT
from shared.environment import Environment
from shared.errors import RestepError
from shared.protocol import CreateSession, StepRequest, TaskInfo

router = APIRouter(prefix="/agentgym", tags=["compatibility: AgentGym"], responses=declared(*EVERYWHERE, *SESSION))
_RESET = declared(*EVERYWHERE, *BODY, *ENGINE, "session_not_found", "unknown_task", "over_capacity", "queue_full", "draining")
_STEP = declared(
    *EVERYWHERE, *BODY, *ENGINE, *SESSION, "action_too_large", "episode_over", "history_full", "queue_full", "draining"
)

MAX_SLOTS: Final = 16_384


SCALES: Final[Mapping[str, float]] = {"sciworld": 100.0}
"""What AgentGym multiplies an environment's scores by, where it does."""


class ResetBody(BaseModel):
    """Which slot, and which task of AgentGym's list."""

    id: int
    data_idx: int


class StepBody(BaseModel):
    """Which slot, and what to do there."""

    id: int
    action: str


class CloseBody(BaseModel):
    """Which slot to give back."""

    id: int


@dataclass(eq=False)
class Slot:
    """What is played in a slot. Who resets or closes it has its ``turn``: a client that has gone may ask again meanwhile."""

    session: Session | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Slots:
    """Slots by number; the oldest are forgotten beyond ``MAX_SLOTS``, and their sessions left to the lease."""

    held: OrderedDict[int, Slot] = field(default_factory=OrderedDict[int, Slot])
    made: int = 0

    def create(self) -> int:
        """A new slot's number."""
        number, self.made = self.made, self.made + 1
        self.held[number] = Slot()
        while len(self.held) > MAX_SLOTS:
            self.held.popitem(last=False)
        return number

    def session(self, number: int) -> Session:
        """The session in a slot. Raises ``session_not_found`` for a slot that is unknown or was never reset."""
        slot = self.held.get(number)
        if slot is None or slot.session is None:
            raise RestepError("session_not_found", f"environment {number} was not created, not reset, or closed")
        return slot.session

    @asynccontextmanager
    async def turn(self, number: int) -> AsyncGenerator[Slot]:
        """A slot to put a session into, for one caller at a time. Raises ``session_not_found``."""
        slot = self.held.get(number)
        if slot is not None:
            async with slot.turn:
                if self.held.get(number) is slot:
                    yield slot
                    return
        raise RestepError("session_not_found", f"environment {number} was not created, or closed")


def _slots(request: Request) -> Slots:
    slots: Slots = request.app.state.agentgym
    return slots


def _tasks(environment: Environment) -> Sequence[TaskInfo]:
    tasks, left_out = environment.tasks(), LEFT_OUT.get(environment.info().name)
    return [task for task in tasks if task.type not in left_out] if left_out else tasks


def _scale(service: Service) -> float:
    return SCALES.get(service.environment.info().name, 1.0)


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


def _situation(session: Session, scale: float) -> dict[str, Any]:
    last = session.results[-1] if session.results else None
    return {
        "observation": last.observation if last else session.observation,
        "reward": round(last.reward * scale, 6) if last else 0,
        "score": round(last.score * scale, 6) if last else 0,
        "done": session.over,
    }


@router.get("", response_class=Response)
async def hello(request: Request) -> Response:
    """A greeting, as there."""
    return _json(f"This is environment {service_of(request).environment.info().name}.")


@router.post("/create", response_class=Response)
async def create(request: Request) -> Response:
    """A new slot."""
    service_of(request)
    return _json({"id": _slots(request).create()})


@router.post("/reset", response_class=Response, responses=_RESET, openapi_extra=body_of(ResetBody))
async def reset(request: Request) -> Response:
    """Begin the task ``data_idx`` in a slot; what was played there before is closed."""
    service, slots = service_of(request), _slots(request)
    asked = await read(request, ResetBody)
    async with slots.turn(asked.id) as slot:
        tasks = _tasks(service.environment)
        if not 0 <= asked.data_idx < len(tasks):
            raise RestepError("unknown_task", f"data_idx is 0 to {len(tasks) - 1}, not {asked.data_idx}")
        before, slot.session = slot.session, None
        if before is not None:
            await service.sessions.close(before.id)
        creation = CreateSession(task_id=tasks[asked.data_idx].id)
        session, _ = await service.sessions.create(None, creation, client_of(request.scope))
        slot.session = session
    name, _, number = session.plan.task.id.rpartition("/")
    return _json(
        {
            "task_name": name,
            "var_num": int(number) if number.isdigit() else number,
            "task_description": session.goal,
            "deleted": False,
            **_situation(session, _scale(service)),
        }
    )


@router.post("/step", response_class=Response, responses=_STEP, openapi_extra=body_of(StepBody))
async def step(request: Request) -> Response:
    """One action; ``reward`` is the change of ``score``, both on AgentGym's scale."""
    service = service_of(request)
    asked = await read(request, StepBody)
    session = _slots(request).session(asked.id)
    await service.step(session.id, StepRequest(seq=len(session.results) + 1, action=asked.action))
    return _json(_situation(session, _scale(service)))


@router.post("/close", response_class=Response, responses=declared(*BODY), openapi_extra=body_of(CloseBody))
async def close(request: Request) -> Response:
    """Give a slot back; repeating the call is safe."""
    service = service_of(request)
    slot = _slots(request).held.pop((await read(request, CloseBody)).id, None)
    if slot is not None:
        async with slot.turn:
            if slot.session is not None:
                await service.sessions.close(slot.session.id)
    return _json({"closed": True})


@router.get("/observation", response_class=Response)
async def observation(request: Request, id: int) -> Response:
    """What is seen now."""
    return _json(_situation(_slots(request).session(id), 1.0)["observation"])


@router.get("/detail", response_class=Response)
async def detail(request: Request, id: int) -> Response:
    """The last answer again."""
    service = service_of(request)
    return _json({"deleted": False, **_situation(_slots(request).session(id), _scale(service))})
