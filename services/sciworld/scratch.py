"""Scratch simulators: where the expert tries things out, beside the live episodes and never in them.

A desk stands at one shard. Every engine step is a call of its own in the shard's queue, so that live episodes never
wait for more than one of them. A desk keeps the simulators of the states judged last, because the next question is
nearly always about the next action from there; what is tried from a state is tried in a twin of its simulator.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from services.sciworld.house import Doors, Surroundings
from services.sciworld.plan import LOOK, Deed
from services.sciworld.shard import Shard
from services.sciworld.simulator import Reply, Simulator, is_reset
from services.sciworld.tasks import EASY
from shared.errors import EngineLost

AMBIGUOUS: Final = "Ambiguous request: "
MAX_PARKED: Final = 64
"""States a desk keeps a simulator at; one takes 0.35 MB of the JVM's heap."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an episode begins: together with the actions it determines a state."""

    task: str
    variation: int
    simplification: str

    @property
    def teleport(self) -> bool:
        """Whether ``teleport to`` is an action here."""
        return self.simplification == EASY or "teleportAction" in self.simplification


@dataclass(frozen=True, slots=True)
class Event:
    """What one action did: the engine's reply, simulated time passed, where the agent is and what it carries then."""

    action: str
    reply: Reply
    ticks: int
    here: Surroundings
    inventory: str

    @property
    def menu(self) -> bool:
        """Whether the engine asked back, and waits for a number."""
        return self.reply.observation.startswith(AMBIGUOUS)

    def look(self) -> Event:
        """What looking around after this is: no time passes, and nothing changes."""
        return replace(self, action=LOOK, reply=replace(self.reply, observation=self.here.text.removesuffix("\n")), ticks=0)

    @property
    def options(self) -> int:
        """Numbers to choose from in a menu."""
        return self.reply.observation.count("\n") - 1 if self.menu else 0


class Meter:
    """Engine steps spent on one question."""

    def __init__(self) -> None:
        self.steps = 0


class Scratch:
    """A simulator played for trial. After EngineLost it is of no more use."""

    def __init__(self, shard: Shard, simulator: Simulator, origin: Origin, events: Sequence[Event], doors: Doors) -> None:
        """``events`` led to the state of ``simulator``, the beginning first; ``doors`` are those seen in all but the last."""
        self.shard = shard
        self.simulator = simulator
        self.origin = origin
        self.events = list(events)
        self.doors = dict(doors)
        self._remember()

    @property
    def last(self) -> Event:
        """The latest event; the first is the beginning of the episode, with an empty action."""
        return self.events[-1]

    @property
    def menu(self) -> int:
        """Numbers the engine offers while it waits for one, else 0; any other text would be swallowed."""
        last = next((event for event in reversed(self.events) if not is_reset(event.action)), self.last)
        return last.options

    @property
    def goal_reached(self) -> bool:
        """Whether the score is 1."""
        return self.last.reply.score >= 1.0

    async def play(self, action: str, meter: Meter) -> Event:
        """Execute one action. Raises EngineLost."""
        meter.steps += 1
        event = await self.shard.run(_play, self.simulator, action, self.last)
        self.events.append(event)
        self._remember()
        return event

    async def twin(self) -> Scratch:
        """Another one in the same state. Raises EngineLost."""
        simulator = await self.shard.run(self.simulator.twin)
        return Scratch(self.shard, simulator, self.origin, self.events, self.doors)

    def deeds(self) -> list[Deed]:
        """The actions played, with the rooms they were played in."""
        return [Deed(event.action, before.here.room) for before, event in pairwise(self.events)]

    async def object_tree(self) -> str:
        """See :meth:`Simulator.object_tree`."""
        return await self.shard.run(self.simulator.object_tree)

    def _remember(self) -> None:
        here = self.last.here
        for place, is_open in here.doors.items():
            self.doors[frozenset((here.room, place))] = is_open


def _play(simulator: Simulator, action: str, before: Event) -> Event:
    """On the shard's thread."""
    outcome = simulator.step_and_look(action)
    if not outcome.ticks:
        return Event(action, outcome.reply, 0, before.here, before.inventory)
    return Event(action, outcome.reply, outcome.ticks, Surroundings.read(outcome.look), outcome.inventory)


def _begin(shard: Shard, origin: Origin) -> tuple[Simulator, Event]:
    """On the shard's thread."""
    simulator = shard.acquire()
    simulator.load(origin.task, origin.variation, origin.simplification)
    look = simulator.look()
    return simulator, Event("", Reply(look, 0.0, completed=False), 0, Surroundings.read(look), simulator.inventory())


class Desk:
    """The scratch simulators at one shard. One question at a time holds :attr:`lock`."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.lock = asyncio.Lock()
        self._parked: OrderedDict[bytes, Scratch] = OrderedDict()

    @property
    def load(self) -> tuple[bool, int]:
        """Smaller is freer."""
        return self.lock.locked(), self.shard.pending

    def holds(self, state: bytes) -> bool:
        """Whether a simulator is parked at ``state``."""
        return state in self._parked

    async def at(self, state: bytes) -> Scratch | None:
        """A twin of the simulator parked at ``state``; None when there is none, or its JVM is gone."""
        parked = self._parked.get(state)
        if parked is None:
            return None
        try:
            twin = await parked.twin()
        except EngineLost:
            del self._parked[state]
            return None
        self._parked.move_to_end(state)
        return twin

    async def park(self, state: bytes, scratch: Scratch) -> None:
        """Keep ``scratch`` at ``state``; the one longest unused makes room."""
        self._parked[state] = scratch
        if len(self._parked) > MAX_PARKED:
            await self.release(self._parked.popitem(last=False)[1])

    async def begin(self, origin: Origin) -> Scratch:
        """A simulator at the beginning of an episode."""
        simulator, event = await self.shard.run(_begin, self.shard, origin)
        return Scratch(self.shard, simulator, origin, [event], {})

    async def release(self, scratch: Scratch) -> None:
        """Give a simulator back to its shard; quiet when that died."""
        try:
            await self.shard.run(self.shard.release, scratch.simulator)
        except EngineLost:
            return
