"""The verdict on a step: what it did for the goal, in a word and a sentence.

The rule. The distance of a state is the number of actions of the best plan that was *seen* to reach the goal from
there (counterfactual replay, :mod:`services.sciworld.expert`); a step is judged by what it did to the distance:

- ``useful``: it shrank: needed, or progress in another way than the plan's.
- ``exploring``: a look that left it as it was and shows, for the first time in the episode, something the plan needs.
- ``needless``: it stayed, or the step did nothing but let time pass, and that did no more harm than the time it took;
  also when all it saved is waiting, which the time it took did for it.
- ``invalid``: the engine did not understand, so nothing happened at all.
- ``harmful``: it grew; there is a way, but part of it takes the step back.
- ``fatal``: the task is lost: failed by the engine's own rule, or none of the continuations tried reaches the goal,
  or none known fits into the steps that are left. The reason says which.

The step limit matters for that last case only, so everything else is judged, and cached, without it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.sciworld.plan import LOOKS, TRAVEL, Plan, actions_of, thing
from services.sciworld.scratch import Event
from services.sciworld.sight import Sight, named, shows
from services.sciworld.thoughts import ParsedAction, parse_action
from shared.protocol import Decision, StepVerdict

TIMELY: Final = LOOKS | {"wait", "use"}
"""Actions by which a plan lets time pass or measures what time does."""

_FAILED: Final = re.compile(
    r"\balready\b|not clear|\bcan't\b|cannot|not open|Unknown action|not sure how|unable|not possible", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the way from a state to the goal. ``tried`` counts the continuations that were played."""

    plan: Plan | None
    reached: bool = False
    lost: bool = False
    direct: bool = False
    tried: int = 0

    @property
    def distance(self) -> int | None:
        """Actions of the best continuation known; None when there is none."""
        return len(self.plan) if self.plan is not None else None


@dataclass(frozen=True, slots=True)
class Step:
    """A step to judge: the states around it, and every event up to it (the first is the beginning)."""

    before: Outlook
    after: Outlook
    events: Sequence[Event]

    @property
    def event(self) -> Event:
        """What the step did."""
        return self.events[-1]

    @property
    def parsed(self) -> ParsedAction:
        """The step's action."""
        return parse_action(self.event.action)


def as_planned(before: Outlook, after: Outlook) -> StepVerdict:
    """The verdict on a step that is the next one of the plan, whose rest is verified by that."""
    reason = "this reaches the goal" if after.reached else "this is the next step on the way to the goal"
    return StepVerdict(decision="useful", reason=reason, distance_before=before.distance, distance_after=after.distance)


def judge(step: Step) -> StepVerdict:
    """The verdict without regard to the step limit. ``step.event`` is not the plan's next action."""
    decision, reason = _judge(step)
    before, after = step.before.distance, step.after.distance
    return StepVerdict(decision=decision, reason=reason, distance_before=before, distance_after=after)


def limit(verdict: StepVerdict, left: int) -> StepVerdict:
    """The same verdict when ``left`` steps are left after the step: too few for the way make it ``fatal``."""
    needed = verdict.distance_after
    if needed is None or needed <= left:
        return verdict
    again = verdict.distance_before is not None and verdict.distance_before > left + 1
    early = "it was too late before this step already" if again else "this step came too late"
    reason = f"{early}: the way to the goal takes {needed} more actions and only {left} are left"
    return replace_verdict(verdict, decision="fatal", reason=reason)


def replace_verdict(verdict: StepVerdict, decision: Decision, reason: str) -> StepVerdict:
    """A copy with another decision and reason."""
    return verdict.model_copy(update={"decision": decision, "reason": reason})


def _judge(step: Step) -> tuple[Decision, str]:
    event, before, after = step.event, step.before, step.after
    if after.reached:
        return "useful", "this reaches the goal"
    if after.lost:
        return "fatal", _loss(step)
    if after.plan is None:
        if before.plan is None:
            return "fatal", "no way to the goal was known before this step already"
        return "fatal", f"none of {after.tried} continuations tried reaches the goal after this"
    if not event.reply.valid and not event.ticks:
        return "invalid", _misunderstood(step)
    if before.plan is None:
        return "useful", "this leads to where a way to the goal is known again"
    shorter = len(after.plan) < len(before.plan) and after.direct <= before.direct
    if shorter and not _mere_delay(step):
        return "useful", _progress(step)
    if step.parsed.verb in LOOKS and event.reply.valid and (seen := _discovery(step)):
        return "exploring", f"this shows the {seen}, which the task needs"
    longer = len(after.plan) - len(before.plan)
    if shorter or event.menu or (_only_time(step) and longer <= event.ticks) or (longer <= 0 and not after.direct):
        return "needless", _needless(step)
    return "harmful", _harm(step)


def _progress(step: Step) -> str:
    if step.event.reply.score > step.events[-2].reply.score:
        return "this fulfils a part of the task"
    return "this takes time, which has to pass for the task" if step.parsed.verb in TIMELY else "this leads on to the goal"


def _mere_delay(step: Step) -> bool:
    """Whether a step saved nothing but waiting and measuring, though it is neither: the time it took did that."""
    saved = Counter(actions_of(step.before.plan or ())) - Counter(actions_of(step.after.plan or ()))
    return step.parsed.verb not in TIMELY | TRAVEL and all(parse_action(action).verb in TIMELY for action in saved)


def _loss(step: Step) -> str:
    parsed = step.parsed
    if parsed.verb == "focus on":
        return f"the {parsed.names[0]} is not what the task asks to focus on now, and a wrong focus ends it"
    return "the simulator counts the task as failed after this"


def _misunderstood(step: Step) -> str:
    parsed, here = step.parsed, step.event.here
    if not parsed.verb:
        return "this is not an action the simulator knows"
    if parsed.verb == "choose":
        return "the simulator did not ask for a number"
    if parsed.verb in TRAVEL | {"close door"}:
        place = parsed.names[0]
        if place == here.room:
            return f"this is the {place} already"
        return (
            f"there is no door to the {place} in the {here.room}"
            if place not in here.doors
            else "this way of going is not known"
        )
    text = f"{here.text}\n{step.event.inventory}".lower()
    unseen = [name for name in parsed.names if thing(name) not in text]
    if unseen:
        return f"there is no {unseen[0]} to be seen in the {here.room}"
    return f"the simulator does not know how to {parsed.clause} here"


def _only_time(step: Step) -> bool:
    return (
        step.parsed.verb in LOOKS | {"wait"} or not step.event.reply.valid or bool(_FAILED.search(step.event.reply.observation))
    )


def _discovery(step: Step) -> str | None:
    """A thing or place that the plan names and the step's reply is the first text of the episode to show."""
    shown = step.event.reply.observation
    sight = Sight(event.reply.observation for event in step.events[:-1])
    own = named(step.event.action)
    names = (name for deed in step.before.plan or () for name in named(deed.action))
    return next((name for name in names if name not in own and not sight.knows(name) and shows(shown, name)), None)


def _needless(step: Step) -> str:
    parsed, event, previous = step.parsed, step.event, step.events[-2]
    reply, name = event.reply.observation, parsed.names[0] if parsed.names else ""
    if event.menu:
        return "the simulator cannot tell which one is meant and asks back"
    if not event.reply.valid:
        return "the simulator asked for one of its numbers, and this is none"
    if "already" in reply.lower() and parsed.verb == "open door":
        return f"the door to the {name} was already open"
    if "already" in reply.lower() and name:
        return f"the {name} was so already"
    if parsed.verb == "go to" and event.here.room == previous.here.room:
        return _no_way(name, previous)
    if _FAILED.search(reply):
        return "the simulator could not do this, and only time passed"
    if parsed.verb == "pick up" and re.search(rf"\b{re.escape(thing(name))}\b", previous.inventory.lower()):
        return f"the {name} was in the inventory already"
    if parsed.verb in LOOKS:
        again = any(reply.strip() == other.reply.observation.strip() for other in step.events[:-1])
        return "this shows nothing new" if again else "this shows nothing the task needs"
    reasons = {
        "wait": "nothing has to be waited for now",
        "pick up": f"the {name} is not needed for the task",
        "open door": f"the way does not lead to the {name}",
        "open": f"the {name} need not be open",
        "go to": "this is no nearer to where the task goes on",
        "teleport to": "this is no nearer to where the task goes on",
    }
    return reasons.get(parsed.verb, "the task does not need this")


def _no_way(place: str, previous: Event) -> str:
    here = previous.here
    if place == here.room:
        return f"this is the {place} already"
    if place in here.doors:
        return f"the door to the {place} was not open"
    return f"no door leads from the {here.room} to the {place}"


def _harm(step: Step) -> str:
    event, previous, plan = step.event, step.events[-2], step.before.plan or ()
    more = len(step.after.plan or ()) - len(plan)
    if step.after.direct and not step.before.direct:
        return "this upsets what the task wants found out; only the answer itself can still be given"
    if event.here.room != previous.here.room:
        goal = next((deed.room for deed in plan if parse_action(deed.action).verb not in TRAVEL), "")
        if goal and goal != event.here.room:
            return f"this moved away from the {goal}, where the task goes on"
        return f"this left the {previous.here.room}, where the task goes on"
    if _only_time(step):
        return f"too much time passed for the task: the way to the goal is {more} actions longer now"
    return f"this has to be made good first: the way to the goal is {more} action{'s' if more != 1 else ''} longer now"
