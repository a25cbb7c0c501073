"""Adaptive play: carry out a plan from a state it was not made for, and see whether it still reaches the goal.

A plan says what to do and where. Ways are found anew (from the present room, through doors as they stand), what is
already so is left out (opening an open door, picking up what is carried), what is missing is fetched, what needs
more time gets it. What was really played is the new plan, verified by having been played; the engine is
deterministic, so whoever plays it again from the same state reaches the goal again.
"""

from __future__ import annotations

import re
from typing import Final

from services.sciworld.contents import Contents, Place
from services.sciworld.house import route
from services.sciworld.plan import LOOKS, TRAVEL, Deed, Plan, thing
from services.sciworld.scratch import Event, Meter, Scratch
from services.sciworld.sight import View
from services.sciworld.thoughts import ParsedAction, parse_action

DISPENSABLE: Final = LOOKS | {"wait", "open", "close", "activate", "deactivate", "put down", "close door", "disconnect"}
"""Where the engine does not understand one of these, the plan goes on without it: the end decides."""

MAX_WAITS: Final = 12
"""Ticks waited for a thing that is not there yet, or for the goal when the plan is at its end."""


class Walk:
    """One attempt at a plan in a scratch simulator, which it uses up.

    ``played`` is what was done, ``moments`` the states before and after each of it. With ``every``, ``kept`` gets a
    twin of the simulator each so many deeds, by their number.
    """

    def __init__(self, scratch: Scratch, meter: Meter, limit: int, *, teleport: bool, every: int = 0) -> None:
        self.scratch = scratch
        self.played: list[Deed] = []
        self.moments: list[tuple[Event, Event]] = []
        self.kept: dict[int, Scratch] = {}
        self._every = every
        self._plan: Plan = ()
        self._meter = meter
        self._limit = limit
        self._teleport = teleport

    async def follow(self, plan: Plan) -> Plan | None:
        """The actions played when the goal was reached, else None. Raises EngineLost."""
        self._plan = plan
        for deed in plan:
            if self._over:
                break
            if not await self._do(deed):
                return None
        if not self._over:
            await self._linger(plan)
        return tuple(self.played) if self.scratch.goal_reached else None

    async def repeat(self, plan: Plan) -> Plan | None:
        """The same without adapting anything."""
        for deed in plan:
            if self._over:
                break
            await self._play(deed.action)
        return tuple(self.played) if self.scratch.goal_reached else None

    @property
    def views(self) -> list[View]:
        """What a look would have shown before each deed, and the reply to it."""
        return [View(before.here.text, event.reply.observation) for before, event in self.moments]

    @property
    def _over(self) -> bool:
        return self.scratch.last.reply.done or len(self.played) >= self._limit

    async def _do(self, deed: Deed) -> bool:
        """Carry out one deed; False when the plan cannot go on without it."""
        parsed = parse_action(deed.action)
        if parsed.verb in TRAVEL:
            return True
        pending = self.scratch.menu
        if parsed.verb == "choose":
            if pending:
                await self._play(deed.action)
            return True
        if pending:
            await self._play("0")
        if not await self._go(deed.room):
            return False
        if self._done_already(parsed):
            return True
        event = await self._play(deed.action)
        if event.reply.valid or parsed.verb in DISPENSABLE:
            return True
        return await self._remedy(deed, parsed)

    async def _play(self, action: str) -> Event:
        """Execute an action and keep it, unless it did nothing and shows nothing."""
        before = self.scratch.last
        event = await self.scratch.play(action, self._meter)
        if event.ticks or event.menu or (event.reply.valid and parse_action(action).verb in LOOKS):
            self.played.append(Deed(action, before.here.room))
            self.moments.append((before, event))
            if self._every and len(self.played) % self._every == 0:
                self.kept[len(self.played)] = await self.scratch.twin()
        return event

    async def _go(self, room: str) -> bool:
        """Go to ``room`` the shortest way. False when the engine does not let us."""
        tries = 0
        while room and self.scratch.last.here.room != room:
            way = route(self.scratch.last.here.room, room, self.scratch.doors, teleport=self._teleport)
            if not way or tries > 3:
                return False
            tries += 1
            for action in way:
                event = await self._play(action)
                if self._over:
                    return self.scratch.goal_reached
                if action.startswith("go to") and event.here.room != parse_action(action).names[0]:
                    break
        return True

    def _done_already(self, parsed: ParsedAction) -> bool:
        """Whether what an action is for is so without it."""
        if not parsed.names:
            return False
        name, text = re.escape(parsed.names[0]), self.scratch.last.here.text
        if parsed.verb == "pick up":
            return bool(re.search(rf"^\t(?:an? |A )?{name}(?: \(|$)", self.scratch.last.inventory, re.MULTILINE))
        if parsed.verb in {"open", "close"}:
            return f"The {parsed.names[0]} door is {'open' if parsed.verb == 'open' else 'closed'}" in text
        if parsed.verb in {"activate", "deactivate"}:
            states = ("turned on", "activated") if parsed.verb == "activate" else ("turned off", "deactivated")
            return bool(re.search(rf"\b{name}, which is (?:{'|'.join(states)})", text))
        if parsed.verb == "close door":
            return self.scratch.last.here.doors.get(parsed.names[0]) is False
        return False

    async def _remedy(self, deed: Deed, parsed: ParsedAction) -> bool:
        """The engine does not know what ``deed`` is about: fetch it, open what it is in, or wait until it is there."""
        contents = Contents.read(await self.scratch.object_tree())
        action, missing = deed.action, False
        for name in parsed.names:
            place = contents.find(name, near=self.scratch.last.here.room)
            if place is not None and not await self._fetch(place, deed.room):
                return False
            if place is None or self._comes_of_age(name, place.name):
                missing = True
            elif thing(name).endswith(f" {place.name}"):
                action = action.replace(name, place.name)  # of another age by now, and any will do
        for wait in range(MAX_WAITS if missing else 1):
            if wait:
                await self._play("wait1")
            if self._over:
                return self.scratch.goal_reached
            event = await self._play(action)
            if event.reply.valid:
                return True
        return parsed.verb == "use"

    def _comes_of_age(self, name: str, bare: str) -> bool:
        """Whether the plan tells ages of a thing apart, so that the right one has to be waited for."""
        names = {thing(one) for deed in self._plan for one in parse_action(deed.action).names}
        return thing(name) != bare and len({one for one in names if one.endswith(f" {bare}")}) > 1

    async def _fetch(self, place: Place, room: str) -> bool:
        """Bring a thing to ``room``, or open what it is in where it is there. False when the way is barred."""
        away = place.room != self.scratch.last.here.room and not place.carried
        if away and not await self._go(place.room):
            return False
        for closed in place.closed:
            await self._play(f"open {closed}")
        if away:
            await self._play(f"pick up {place.name}")
            return await self._go(room)
        return True

    async def _linger(self, plan: Plan) -> None:
        """Give it more time at the end of the plan: measuring goes on, or waiting."""
        tail: list[Deed] = []
        for deed in reversed(plan[-3:]):
            if parse_action(deed.action).verb not in LOOKS | {"use", "wait"}:
                break
            tail.insert(0, deed)
        if not tail and plan and parse_action(plan[-1].action).verb in {"focus on", "move"}:
            return
        tail = tail or [Deed("wait1", "")]
        for number in range(MAX_WAITS):
            if self._over:
                return
            await self._do(tail[number % len(tail)])
