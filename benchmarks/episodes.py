"""Whole episodes on environment servers: short ones, by a seeded policy, with every call counted and timed."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.wire import Connection, Reply
from services.sciworld.house import ROOMS

CREATE: Final = "PUT /v1/sessions/{id}"
STEP: Final = "POST /v1/sessions/{id}/steps"
CLOSE: Final = "DELETE /v1/sessions/{id}"

_WORD: Final = re.compile(r"[a-z]{3,}")
_PAGE: Final = 1000


# --- what is played ------------------------------------------------------------------------------------------


def _pick(rng: random.Random, observation: str, actions: Sequence[str]) -> str:
    return rng.choice(actions)


def _shop(rng: random.Random, observation: str, actions: Sequence[str]) -> str:
    """Where there is a search field, some words of the page are searched for."""
    action = rng.choice(actions)
    words = _WORD.findall(observation.partition("[SEP] Find me")[2]) or ["tea"]
    return f"search[{' '.join(rng.sample(words, min(3, len(words))))}]" if action.startswith("search[") else action


_WALK: Final = (
    *("look around", "inventory", "wait1"),
    *(f"{verb} {room}" for room in ROOMS for verb in ("open door to", "go to")),
)


def _walk(rng: random.Random, observation: str, actions: Sequence[str]) -> str:
    return rng.choice(_WALK)


@dataclass(frozen=True, slots=True)
class Manner:
    """How an environment is played: what is asked for with each step, and what is done next."""

    include: tuple[str, ...]
    choose: Callable[[random.Random, str, Sequence[str]], str]


MANNERS: Final[Mapping[str, Manner]] = {
    "alfworld": Manner(("admissible_actions",), _pick),
    "webshop": Manner(("admissible_actions",), _shop),
    # Its engine takes ten steps' time to list the actions, which hardly anyone asks for.
    "sciworld": Manner((), _walk),
}


# --- what it is answered with --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one route, in milliseconds."""

    route: str
    calls: int
    p50: float
    p99: float


@dataclass
class Calls:
    """Answers by route and status, and the seconds that those with success took."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list))
    retry_after_missing: int = 0

    def note(self, route: str, reply: Reply, seconds: float) -> None:
        """Count one answer."""
        self.statuses[route, reply.status] += 1
        if reply.status < 300:
            self.seconds[route].append(seconds)
        elif reply.status == 429 and not (reply.retry_after or "").isdigit():
            self.retry_after_missing += 1

    def add(self, other: Calls) -> None:
        """Count what another has counted, too."""
        self.statuses.update(other.statuses)
        self.retry_after_missing += other.retry_after_missing
        for route, seconds in other.seconds.items():
            self.seconds[route] += seconds

    def by_status(self) -> dict[int, int]:
        """Answers by status, all routes together."""
        counted = Counter[int]()
        for (_, status), count in self.statuses.items():
            counted[status] += count
        return dict(sorted(counted.items()))

    def latencies(self) -> list[Latency]:
        """One row a route, of those that were called at least twice."""
        marks = {route: statistics.quantiles(taken, n=100) for route, taken in sorted(self.seconds.items()) if len(taken) > 1}
        return [Latency(route, len(self.seconds[route]), p[49] * 1e3, p[98] * 1e3) for route, p in marks.items()]


@dataclass
class Playing:
    """An episode under way."""

    path: str
    rng: random.Random
    observation: str
    actions: Sequence[str]
    seq: int = 0
    over: bool = False


class Player:
    """Plays tasks on any connection, up to ``steps`` steps an episode, and counts in ``calls``."""

    def __init__(self, environment: str, tasks: Sequence[str], steps: int, *, prefix: str = "load") -> None:
        self.calls = Calls()
        self.steps = 0
        self._manner, self._tasks, self._longest, self._prefix = MANNERS[environment], tasks, steps, prefix
        self._numbers = itertools.count()

    async def begin(self, connection: Connection) -> Playing | Reply:
        """The next task in a new session, or the server's refusal."""
        number = next(self._numbers)
        path = f"/v1/sessions/{self._prefix}-{number}"
        body = {"task_id": self._tasks[number % len(self._tasks)], "include": self._manner.include, "max_steps": self._longest}
        reply = await self._timed(connection, CREATE, "PUT", path, body)
        if reply.status >= 300:
            return reply
        begun: dict[str, Any] = reply.json()
        return Playing(path, random.Random(number), begun["observation"], begun["admissible_actions"] or ())

    async def step(self, connection: Connection, playing: Playing) -> bool:
        """One action; False when the server refuses it, and the same step may be taken again."""
        action = self._manner.choose(playing.rng, playing.observation, playing.actions)
        body = {"seq": playing.seq + 1, "action": action}
        reply = await self._timed(connection, STEP, "POST", f"{playing.path}/steps", body)
        if reply.status >= 300:
            return False
        seen: dict[str, Any] = reply.json()
        self.steps += 1
        playing.seq += 1
        playing.observation, playing.actions = seen["observation"], seen["admissible_actions"] or ()
        playing.over = seen["done"] or seen["truncated"]
        return True

    async def end(self, connection: Connection, playing: Playing) -> None:
        """Give the session back."""
        await self._timed(connection, CLOSE, "DELETE", playing.path, None)

    async def _timed(self, connection: Connection, route: str, method: str, path: str, body: object) -> Reply:
        begun = time.perf_counter()
        reply = await connection.call(method, path, body)
        self.calls.note(route, reply, time.perf_counter() - begun)
        return reply


async def begun(player: Player, connection: Connection) -> Playing:
    """A new episode; where too many are being begun, after waiting as told. Raises SystemExit for another refusal."""
    while True:
        answer = await player.begin(connection)
        if isinstance(answer, Playing):
            return answer
        if answer.status != 429 or answer.retry_after is None:
            raise SystemExit(f"a session was refused: {answer.status} {answer.content[:300].decode()}")
        await asyncio.sleep(float(answer.retry_after))


async def all_tasks(connection: Connection, seed: int = 0) -> list[str]:
    """Every task of a server, in a seeded random order."""
    found: list[str] = []
    while True:
        page = (await connection.must("GET", f"/v1/tasks?offset={len(found)}&limit={_PAGE}")).json()
        found += [task["id"] for task in page["tasks"]]
        if len(found) >= page["total"]:
            random.Random(seed).shuffle(found)
            return found


async def held(connection: Connection) -> int:
    """How many sessions a server holds, by its own count."""
    return (await connection.must("GET", "/v1/environment")).json()["sessions"]
