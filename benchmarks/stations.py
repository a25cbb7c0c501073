"""Stations of a queueing network, for simpy: servers in a row with one queue, and a model server that works in batches.

Both measure themselves in a window of time, so that a run's beginning does not count: utilisation, customers there
(time average), time in the station. A queue with fixed order and known service times needs no events of its own: when a
customer will leave is known as it arrives.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass
from functools import partial

from simpy import Environment, Event


@dataclass(frozen=True, slots=True)
class Use:
    """Of one station in a window: share of its capacity in use, customers who left, their mean time there and in all."""

    utilisation: float
    left: int
    sojourn: float
    inside: float

    @property
    def rate(self) -> float:
        """Customers a second, by Little's law: what is inside over the time each stays."""
        return self.inside / self.sojourn if self.sojourn else 0.0


class Window:
    """What is measured from ``begin`` to ``end`` seconds; what lies outside is cut off."""

    def __init__(self, begin: float, end: float = math.inf) -> None:
        self.begin, self.end = begin, end
        self._busy = self._inside = self._sojourns = 0.0
        self._left = 0

    def stay(self, arrived: float, left: float) -> None:
        """A customer was there from one moment to another. Counted as having left when that lies in the window."""
        self._inside += self._overlap(arrived, left)
        if self.begin <= left < self.end:
            self._left += 1
            self._sojourns += left - arrived

    def work(self, begun: float, done: float, share: float = 1.0) -> None:
        """Some of the capacity was in use."""
        self._busy += share * self._overlap(begun, done)

    def use(self, capacity: float, now: float) -> Use:
        """All that was measured until now."""
        seconds = min(now, self.end) - self.begin
        sojourn = self._sojourns / self._left if self._left else 0.0
        return Use(self._busy / (seconds * capacity), self._left, sojourn, self._inside / seconds)

    def _overlap(self, begun: float, done: float) -> float:
        return max(0.0, min(done, self.end) - max(begun, self.begin))


class Servers:
    """``count`` equal servers behind one queue, first come, first served: cores, writers of a database, a link."""

    def __init__(self, env: Environment, count: int, window: Window) -> None:
        self.count, self.window = count, window
        self._env = env
        self._free = [0.0] * count

    def visit(self, seconds: float, extra: float = 0.0) -> Event:
        """Wait for a server, be served so long; the event comes ``extra`` seconds later (a latency that occupies nobody)."""
        now = self._env.now
        begun = max(now, self._free[0])
        done = begun + seconds
        heapq.heapreplace(self._free, done)
        self.window.work(begun, done)
        self.window.stay(now, done)
        return self._env.timeout(done - now + extra)

    def use(self) -> Use:
        """See :class:`Use`."""
        return self.window.use(self.count, self._env.now)


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """A model server's pace, in seconds: with b sequences in the batch each token takes ``base + each * b``.

    A prompt token that is not cached takes ``prefill``, during which the whole batch waits. Above ``most`` sequences queue.
    """

    base: float
    each: float
    prefill: float
    most: int


class BatchServer:
    """A model server: all sequences of the batch advance together, one token each in every pass.

    Progress is counted on one clock of tokens; a sequence is done when the clock has advanced by its length, so that an
    arrival costs no more than a place in a heap.
    """

    def __init__(self, env: Environment, speed: ModelSpeed, window: Window) -> None:
        self.speed, self.window = speed, window
        self._env = env
        self._clock = 0.0
        self._last = 0.0
        self._stalled = 0.0
        self._numbers = itertools.count()
        self._running: list[tuple[float, int, Event, float]] = []
        self._waiting: deque[tuple[float, float, Event, float]] = deque()
        self._plan = 0

    def visit(self, tokens: float, prompt: float = 0.0) -> Event:
        """Ask for ``tokens`` after ``prompt`` tokens that are not cached; the event comes with the last of them."""
        event = self._env.event()
        self._advance()
        self._waiting.append((tokens, prompt, event, self._env.now))
        self._admit()
        return event

    def use(self) -> Use:
        """See :class:`Use`; in use are the places of the batch that are taken: requests wait when all are."""
        self._advance()
        return self.window.use(1.0, self._env.now)

    def _pace(self) -> float:
        return self.speed.base + self.speed.each * len(self._running)

    def _advance(self) -> None:
        now = self._env.now
        if self._running:
            passed = now - self._last
            stalled = min(self._stalled, passed)
            self._stalled -= stalled
            self._clock += (passed - stalled) / self._pace()
            self.window.work(self._last, now, len(self._running) / self.speed.most)
        self._last = now

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self.speed.most:
            tokens, prompt, event, arrived = self._waiting.popleft()
            self._stalled += prompt * self.speed.prefill
            heapq.heappush(self._running, (self._clock + tokens, next(self._numbers), event, arrived))
        self._plan += 1
        if self._running:
            delay = self._stalled + max(0.0, self._running[0][0] - self._clock) * self._pace()
            plan = self._plan
            wake = self._env.timeout(delay)
            assert wake.callbacks is not None
            wake.callbacks.append(partial(self._wake, plan))

    def _wake(self, plan: int, _: Event) -> None:
        if plan != self._plan:
            return  # something has changed since; another wake is due
        self._advance()
        self._clock = max(self._clock, self._running[0][0])  # the first is done, whatever rounding says
        while self._running and self._running[0][0] <= self._clock:
            done = heapq.heappop(self._running)
            event, arrived = done[2:]
            self.window.stay(arrived, self._env.now)
            event.succeed()
        self._admit()
