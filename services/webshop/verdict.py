"""The verdict on a step: what it did for the purchase, in a word and a sentence.

The rule. What can still be earned is the reward of the best purchase that the steps left suffice for; the distance of a
state is the length of the shortest way to it (:mod:`services.webshop.planner`). A product *fits* when it can earn as much
as any; it is a *candidate* as long as its line in the results, kind and price, does not speak against it. A step is:

- ``useful`` when the distance shrank, when it buys the best there was, or when a search is the first to list what fits;
- ``exploring`` when it opens a candidate for the first time before anything that fits was open, or reads for the first
  time what may tell of a wanted attribute that was not read of the open product yet: no error, it only costs steps;
- ``needless`` when it only cost steps: results without anything that fits, pages read before, what was ruled out;
- ``invalid`` when the shop ignored it;
- ``harmful`` when it undid something or chose wrongly, which has to be made good: it leaves what fits, or the results
  or the page that list it, or chooses another value than the goal asks for;
- ``fatal`` when what can be earned became less: by a wrong purchase, or because too few steps are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.webshop.actions import CLICK, SEARCH, parse_action, written
from services.webshop.planner import Planner, Way
from services.webshop.queries import option_text
from services.webshop.state import Place, State
from shared.protocol import Decision, StepVerdict

_EVER: Final = 100
"""More steps than any way takes."""

Judgement = tuple[Decision, str]


@dataclass(frozen=True, slots=True)
class Step:
    """A step to judge: every state up to it, the action, and the state after it (None where the shop ignored it)."""

    past: Sequence[State]
    action: str
    after: State | None

    @property
    def before(self) -> State:
        """Where it was taken."""
        return self.past[-1]

    @property
    def opened(self) -> set[int]:
        """Products that were open at any time before."""
        return {state.product for state in self.past if state.place in (Place.ITEM, Place.SECTION)}


def judge(planner: Planner, step: Step, left: int) -> StepVerdict:
    """The verdict on a step with ``left`` steps left after it."""
    now = step.before if step.after is None else step.after
    before, after = planner.way(step.before, left + 1), planner.way(now, left)
    bought = now.place is Place.DONE and step.after is not None
    decision, reason = _bought(planner, now, before) if bought else _judge(planner, step, before, after, left)
    return StepVerdict(
        decision=decision,
        reason=reason,
        distance_before=None if before is None else len(before),
        distance_after=0 if bought else None if after is None else len(after),
    )


def _bought(planner: Planner, now: State, before: Way | None) -> Judgement:
    earned, reachable = planner.earned(now), 0.0 if before is None else before.reward
    if earned == 1.0:
        return "useful", "this buys what the goal asks for"
    if before is not None and earned >= reachable:
        return "useful", "this is the best purchase that could be reached"
    why = planner.prospect(now.product).missing(dict(now.options))
    return "fatal", f"this earns {earned:.2f} where {reachable:.2f} could be reached: {why}"


def _judge(planner: Planner, step: Step, before: Way | None, after: Way | None, left: int) -> Judgement:
    if before is None:
        return "fatal", "it was too late before this step already: no purchase that earns anything could be reached"
    if after is None or after.reward < before.reward:
        return _lost(planner, step, before, left)
    if step.after is None:
        return "invalid", _ignored(step)
    if len(after) < len(before):
        return "useful", "this is a step on a shortest way to the best purchase"
    return _sidestep(planner, step, step.after)


def _lost(planner: Planner, step: Step, before: Way, left: int) -> Judgement:
    ever = planner.way(step.after or step.before, _EVER)
    if ever is None or ever.reward < before.reward:
        return "harmful", "this leaves the results that show what fits the goal best"
    steps = "step" if left == 1 else f"{left} steps"
    return "fatal", f"this step came too late: {before.reward:.2f} cannot be earned any more in the {steps} left"


def _ignored(step: Step) -> str:
    if parse_action(step.action)[0] == CLICK and (name := written(step.action)):
        return f"there is no {name} to click on this page"
    return "the shop knows only searches and clicks on what the page shows"


def _sidestep(planner: Planner, step: Step, after: State) -> Judgement:
    """A step that is on no shortest way."""
    if parse_action(step.action)[0] == SEARCH:
        return _searched(planner, step, after)
    if after.place is Place.START or (step.before.place is not Place.RESULTS and after.place is Place.RESULTS):
        return _left(planner, step, after)
    if after.place is Place.RESULTS:
        return _turned(planner, step.before)
    if after.place is Place.SECTION:
        return _read(planner, step, after)
    if step.before.place is Place.RESULTS:
        return _opened(planner, step, after.product)
    if step.before.place is Place.SECTION:
        return "needless", f"this goes back to a product that does not fit: {_lack(planner, after.product)}"
    return _chose(planner, step.before, after, parse_action(step.action)[1])


def _searched(planner: Planner, step: Step, after: State) -> Judgement:
    shown = planner.shown(after)
    if shown and not planner.shown(step.before):
        return "useful", "this search shows what fits the goal"
    if shown:
        return "needless", "the results before showed what fits the goal already"
    if (loss := _left_behind(planner, step.before)) is not None:
        return loss
    return "needless", "no result of this search fits the goal"


def _left(planner: Planner, step: Step, after: State) -> Judgement:
    open_product = step.before.place in (Place.ITEM, Place.SECTION)
    if (after.place is Place.START or open_product) and (loss := _left_behind(planner, step.before)) is not None:
        return loss
    if after.place is Place.START:
        return "needless", "a search can be made from every page"
    return "needless", "nothing in these results fits the goal, so there is no use in them"


def _left_behind(planner: Planner, before: State) -> Judgement | None:
    if before.place in (Place.ITEM, Place.SECTION) and planner.right(before.product):
        return "harmful", "this leaves a product that fits the goal"
    return ("harmful", "this leaves results that show what fits the goal") if planner.shown(before) else None


def _turned(planner: Planner, before: State) -> Judgement:
    if not (shown := planner.shown(before)):
        return "needless", "no page of these results shows what fits the goal"
    page = min((page for page, _ in shown), key=lambda page: abs(page - before.page))
    return "harmful", f"what fits the goal is on page {page} of these results"


def _opened(planner: Planner, step: Step, number: int) -> Judgement:
    if planner.right(number):
        return "useful", "this product fits the goal"
    if number in step.opened:
        return "needless", f"this product was looked at before, and {_lack(planner, number)}"
    if any(planner.right(other) for other in step.opened):
        return "needless", "a product that fits the goal was looked at before"
    if planner.prospect(number).candidate:
        return "exploring", "this looks at a product that may fit the goal"
    return "needless", f"this product cannot fit, as its line in the results shows: {_lack(planner, number)}"


def _read(planner: Planner, step: Step, after: State) -> Judgement:
    number, section = after.product, after.section
    prospect = planner.prospect(number)
    read = {state.section for state in step.past if state.place is Place.SECTION and state.product == number}
    if section in read:
        return "needless", "this was read before"
    if not prospect.candidate:
        return "needless", f"this product cannot fit: {_lack(planner, number)}"
    if prospect.says(section) and prospect.unread(read):
        return "exploring", "this may tell of something that the goal asks for"
    return "needless", "this tells nothing more that the goal asks for"


def _chose(planner: Planner, before: State, after: State, value: str) -> Judgement:
    prospect = planner.prospect(after.product)
    earlier, chosen = dict(before.options), dict(after.options)
    if earlier == chosen:
        return "needless", f"{value} was chosen already"
    if not planner.right(after.product):
        return "needless", f"this product does not fit, whatever is chosen: {_lack(planner, after.product)}"
    name = next(name for name in chosen if chosen[name] != earlier.get(name))
    met = prospect.met(chosen)
    if lost := prospect.met(earlier) - met:
        return "harmful", f"the goal asks for {option_text(planner.goal.options[min(lost)])}, which was chosen before"
    if unmet := prospect.served_by(name) - met:
        return "harmful", f"the goal asks for {option_text(planner.goal.options[min(unmet)])}, not for {value}"
    return "needless", f"the goal does not ask for {value}"


def _lack(planner: Planner, number: int) -> str:
    return planner.prospect(number).lack or "another one fits better"
