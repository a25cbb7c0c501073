"""The expert: from any state the actions that reach the goal, and what the last step did for it.

The engine's own solution is good from the start only, so after anything else the way is searched: candidates
(:func:`services.sciworld.plan.candidates`) are played in scratch simulators, and what is played to score 1.0 is a
verified plan. The engine is deterministic: while the agent does what the plan says, its rest stays verified, and
only a deviation costs engine steps (:data:`BUDGET`).

Everything known of a state is kept by (task, variation, simplification, actions so far), never by session, and
depends on nothing else: it comes out the same after any eviction, in any order, on any shard.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.sciworld.contents import Contents
from services.sciworld.gold import GoldPaths
from services.sciworld.mine import Mine
from services.sciworld.plan import LOOK, Candidate, Plan, actions_of, alternatives, annotate, candidates
from services.sciworld.scratch import Desk, Event, Meter, Origin, Scratch
from services.sciworld.shard import Shard
from services.sciworld.sight import with_looks, without_looks
from services.sciworld.tasks import parse_task_id
from services.sciworld.thoughts import thought
from services.sciworld.verdict import Outlook, Step, as_planned, judge, limit
from services.sciworld.walk import Walk
from shared.environment import EpisodeKey
from shared.errors import EngineLost, RestepError
from shared.protocol import ExpertAdvice, StepVerdict

BUDGET: Final = 400
"""Engine steps (some 5 to 10 ms each) after which no further candidate is begun for one verdict."""

MILESTONE: Final = 12
"""Deeds of a task's first plan between two states a simulator is parked at: a first deviation starts from there."""

MAX_KNOWN: Final = 20_000
"""States remembered; the memory is bounded by it, about a kilobyte a state."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a state: its outlook, the verdict on the step that led there, and the first plan of its task."""

    outlook: Outlook
    verdict: StepVerdict | None
    initial: Plan


class Expert:
    """Advice on states of any episode, worked out on the shards beside the live episodes."""

    def __init__(self, shards: Sequence[Shard], gold: GoldPaths, spare: Callable[[], Shard]) -> None:
        """``spare`` makes a shard, not started, for finding solutions that are not in ``gold``."""
        self._desks = [Desk(shard) for shard in shards]
        self._mine = Mine(gold, spare)
        self._known: OrderedDict[bytes, Knowledge] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[Knowledge]] = {}

    async def advise(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        """The continuation from ``key`` and the verdict on its last action.

        Raises ``expert_failed`` when the task's own solution does not reach the goal, EngineLost when the engine
        died twice under the question, ``unknown_task``.
        """
        task, variation = parse_task_id(key.task_id)
        origin = Origin(task, variation, dict(key.options).get("simplification", ""))
        try:
            known = await self._know(origin, key.actions)
        except EngineLost:
            known = await self._know(origin, key.actions)
        left = max_steps - len(key.actions)
        plan = known.outlook.plan
        actions = actions_of(plan or ())
        return ExpertAdvice(
            seq=len(key.actions),
            actions=actions,
            thought=thought(actions),
            reachable=plan is not None and len(plan) <= left,
            verdict=limit(known.verdict, left) if known.verdict is not None else None,
        )

    async def close(self) -> None:
        """Give up what is being worked out, and end the spare shard. Idempotent."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._mine.close()

    async def _know(self, origin: Origin, actions: Sequence[str]) -> Knowledge:
        """Knowledge of a state, from the nearest state before it that is known."""
        states = _states(origin, actions)
        start = next((i for i in reversed(range(len(states))) if states[i] in self._known), -1)
        known = self._known[states[start]] if start >= 0 else await self._once(states[0], self._begin(origin))
        for seq in range(max(start, 0) + 1, len(states)):
            work = self._follow(origin, actions[:seq], states[: seq + 1], known)
            known = await self._once(states[seq], work)
        if states[-1] in self._known:
            self._known.move_to_end(states[-1])
        return known

    async def _once(self, state: bytes, work: Coroutine[Any, Any, Knowledge]) -> Knowledge:
        """Work a state out once, however many ask and whoever goes away meanwhile."""
        if (known := self._known.get(state)) is not None:
            work.close()
            return known
        task = self._running.get(state)
        if task is None:
            task = self._running[state] = asyncio.create_task(self._keep(state, work))
            task.add_done_callback(lambda _: self._running.pop(state, None))
        else:
            work.close()
        return await asyncio.shield(task)

    async def _keep(self, state: bytes, work: Coroutine[Any, Any, Knowledge]) -> Knowledge:
        known = self._known[state] = await work
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return known

    async def _begin(self, origin: Origin) -> Knowledge:
        """The first plan of a task: the engine's solution, without its detours where that works, looking where it must."""
        gold = await self._mine.dig(origin)
        desk = min(self._desks, key=lambda desk: desk.load)
        async with desk.lock:
            meter = Meter()
            for adapt in (True, False):
                scratch = await desk.begin(origin)
                walk = Walk(scratch, meter, 2 * len(gold) + 40, teleport=origin.teleport, every=MILESTONE)
                start = scratch.last
                deeds = without_looks(annotate(gold, start.here.room))
                plan = await (walk.follow(deeds) if adapt else walk.repeat(deeds))
                await desk.release(scratch)
                if plan is not None:
                    plan = with_looks(plan, walk.views, start.here.text)
                    await _park_milestones(desk, origin, plan, start, walk)
                    return Knowledge(Outlook(plan), None, plan)
                for kept in walk.kept.values():
                    await desk.release(kept)
        raise RestepError("expert_failed", f"the engine's solution of {origin.task}/{origin.variation} does not reach its goal")

    async def _follow(self, origin: Origin, actions: Sequence[str], states: Sequence[bytes], before: Knowledge) -> Knowledge:
        """Knowledge after one more action."""
        if (rest := _as_planned(before.outlook.plan or (), actions[-1])) is not None:
            outlook = Outlook(rest, reached=not rest, direct=before.outlook.direct)
            return Knowledge(outlook, as_planned(before.outlook, outlook), before.initial)
        desk = next((desk for desk in self._desks if any(map(desk.holds, states))), None)
        desk = desk or min(self._desks, key=lambda desk: desk.load)
        async with desk.lock:
            scratch = await _catch_up(desk, origin, actions, states)
            outlook = await self._outlook(desk, scratch, before)
            verdict = judge(Step(before.outlook, outlook, tuple(scratch.events)))
            await desk.park(states[-1], scratch)
        return Knowledge(outlook, verdict, before.initial)

    async def _outlook(self, desk: Desk, scratch: Scratch, before: Knowledge) -> Outlook:
        """The best plan found from the state of ``scratch``, after its last event."""
        event, former = scratch.last, before.outlook.plan
        if scratch.goal_reached:
            return Outlook((), reached=True)
        if event.reply.done:
            return Outlook(None, lost=True)
        if not event.ticks and not scratch.menu:
            return before.outlook
        search = _Search(desk, scratch, before.outlook)
        if former is None:
            return await search.run([Candidate(before.initial)])
        *history, last = scratch.deeds()
        ways = candidates(former, last, history, before.initial, menu=scratch.menu, done=event.reply.valid)
        found = await search.run(ways)
        if found.plan is None and not scratch.menu:
            found = await search.run(alternatives(former, Contents.read(await scratch.object_tree())))
        return found


class _Search:
    """Trying candidates from the state of ``scratch``, which it leaves as it is, with one budget for all."""

    def __init__(self, desk: Desk, scratch: Scratch, before: Outlook) -> None:
        self._desk = desk
        self._scratch = scratch
        self._before = before
        self._progress = scratch.last.reply.score > scratch.events[-2].reply.score
        self._meter = Meter()
        self._tried = 0

    async def run(self, ways: Iterable[Candidate]) -> Outlook:
        """The first candidate that reaches the goal; where the score rose, the shortest, since some way should be."""
        best: Outlook | None = None
        for way in ways:
            if (self._tried and self._meter.steps >= BUDGET) or (best is not None and way.resort):
                break
            self._tried += 1
            plan = await self._attempt(way.plan)
            if plan is not None and (best is None or len(plan) < len(best.plan or ())):
                best = Outlook(plan, direct=way.direct or self._before.direct, tried=self._tried)
            if best is not None and not (self._progress and len(best.plan or ()) >= (self._before.distance or 0)):
                break
        return best or Outlook(None, tried=self._tried)

    async def _attempt(self, plan: Plan) -> Plan | None:
        """Play a candidate; what was played if it reached the goal."""
        twin = await self._scratch.twin()
        try:
            return await Walk(twin, self._meter, 2 * len(plan) + 40, teleport=twin.origin.teleport).follow(plan)
        finally:
            await self._desk.release(twin)


def _as_planned(plan: Plan, action: str) -> Plan | None:
    """The rest of ``plan`` after ``action`` where that is its next one; a look, which changes nothing, may be left out."""
    for index, deed in enumerate(plan):
        if deed.action == action:
            return plan[index + 1 :]
        if deed.action != LOOK:
            return None
    return None


async def _park_milestones(desk: Desk, origin: Origin, plan: Plan, start: Event, walk: Walk) -> None:
    """Park the simulators kept on the way at the states of ``plan``, which looks around here and there besides."""
    states = _states(origin, actions_of(plan))
    events, deeds = [start], 0
    for state, deed in zip(states[1:], plan, strict=True):
        if deed.action == LOOK:
            events.append(events[-1].look())
            continue
        events.append(walk.moments[deeds][1])
        deeds += 1
        if (kept := walk.kept.get(deeds)) is not None:
            kept.events = list(events)
            await desk.park(state, kept)


async def _catch_up(desk: Desk, origin: Origin, actions: Sequence[str], states: Sequence[bytes]) -> Scratch:
    """A simulator after ``actions``: a twin of the one parked nearest before, played on, or a new one."""
    for seq in reversed(range(len(states) - 1)):
        scratch = await desk.at(states[seq])
        if scratch is not None:
            break
    else:
        seq, scratch = 0, await desk.begin(origin)
    meter = Meter()
    for action in actions[seq:]:
        await scratch.play(action, meter)
    return scratch


def _states(origin: Origin, actions: Sequence[str]) -> list[bytes]:
    """A key for the state after each action, the first for the beginning: a chain of hashes, 16 bytes each."""
    states = [hashlib.blake2b(repr(origin).encode(), digest_size=16).digest()]
    for action in actions:
        states.append(hashlib.blake2b(states[-1] + action.encode(), digest_size=16).digest())
    return states
