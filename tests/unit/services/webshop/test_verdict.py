"""Verdicts by what a step did, on the pages of the shop that comes with restep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.planner import BACK, BUY, NEXT, Planner, Way
from services.webshop.queries import option_value
from services.webshop.shop import PAGE
from services.webshop.state import Place, State
from services.webshop.verdict import Step, judge
from services.webshop.world import World
from shared.protocol import ERROR_DECISIONS, StepVerdict
from tests.support.webshop import goals, ideas, wander

USELESS = "search[xyzzy]"


def verdict(planner: Planner, actions: Sequence[str], max_steps: int = 15) -> StepVerdict:
    """On the last of ``actions``."""
    past, after = [State()], None
    for action in actions:
        past += [] if after is None else [after]
        after = planner.world.shop.after(past[-1], action)
    return judge(planner, Step(past, actions[-1], after), max_steps - len(actions))


@dataclass(frozen=True)
class Scene:
    """A goal with two options whose first page of results has what fits, candidates that do not, and what cannot fit."""

    planner: Planner
    way: Way
    candidates: list[str]
    hopeless: list[str]

    @property
    def search(self) -> str:
        return self.way.actions[0]

    @property
    def open(self) -> list[str]:
        """Up to the open product that fits."""
        return list(self.way.actions[:2])

    def wrong(self, place: int) -> str:
        """A value that the goal does not ask for, of the option at ``place`` in the goal."""
        name, wanted = self.planner.goal.options[place]
        values = self.planner.prospect(self.way.number).product.options[name]
        return f"click[{next(value for value in values if value != wanted)}]"


def staged(world: World, task: str) -> Scene | None:
    planner = Planner(world, world.tasks.goal(task))
    way = planner.way(State(), 15)
    if way is None or len(planner.goal.options) != 2 or len(way) != 5:
        return None
    shown = [n for n in world.shop.results(planner.searches[0])[:PAGE] if not planner.right(n)]
    links = {number: f"click[{world.shop.catalogue[number].asin}]" for number in shown}
    candidates = [links[number] for number in shown if planner.prospect(number).candidate]
    hopeless = [link for link in links.values() if link not in candidates]
    return Scene(planner, way, candidates, hopeless) if len(candidates) >= 2 and hopeless else None


@pytest.fixture(scope="module")
def scene(embedded: World) -> Scene:
    return next(found for i in range(200) if (found := staged(embedded, f"synthetic-{i}")) is not None)


def test_the_way_is_useful_up_to_the_purchase(scene: Scene) -> None:
    for taken in range(1, 6):
        found = verdict(scene.planner, scene.way.actions[:taken])
        assert (found.decision, found.distance_before, found.distance_after) == ("useful", 6 - taken, 5 - taken)
    assert verdict(scene.planner, scene.way.actions).reason == "this buys what the goal asks for"


def test_a_wrong_purchase_is_fatal_and_says_what_it_cost(scene: Scene) -> None:
    unchosen = verdict(scene.planner, [*scene.open, BUY])
    assert unchosen.decision == "fatal"
    name, value = scene.planner.goal.options[0]
    assert unchosen.reason.endswith(f"where 1.00 could be reached: {name}: {value} is not chosen")
    assert unchosen.reason.startswith("this earns 0.")
    other = verdict(scene.planner, [scene.search, scene.hopeless[0], BUY])
    assert other.decision == "fatal"
    assert "could be reached: it" in other.reason


def test_a_wrong_option_is_harmful_and_can_be_made_good(scene: Scene) -> None:
    first, second = scene.way.actions[2:4]
    name, value = scene.planner.goal.options[0]
    wrong = verdict(scene.planner, [*scene.open, scene.wrong(0)])
    assert (wrong.decision, wrong.distance_before, wrong.distance_after) == ("harmful", 3, 3)
    assert wrong.reason.startswith(f"the goal asks for {name}: {value}, not for ")
    undone = verdict(scene.planner, [*scene.open, first, second, scene.wrong(0)])
    assert (undone.decision, undone.distance_before, undone.distance_after) == ("harmful", 1, 2)
    assert undone.reason == f"the goal asks for {name}: {value}, which was chosen before"
    again = verdict(scene.planner, [*scene.open, first, first])
    assert (again.decision, again.reason) == ("needless", f"{value} was chosen already")
    mended = verdict(scene.planner, [*scene.open, scene.wrong(0), first])
    assert mended.decision == "useful"


def test_options_of_a_product_that_does_not_fit_are_needless(scene: Scene, embedded: World) -> None:
    for link in (*scene.candidates, *scene.hopeless):
        number = embedded.shop.catalogue.number(link[6:-1])
        assert number is not None
        for values in embedded.shop.catalogue[number].options.values():
            found = verdict(scene.planner, [scene.search, link, f"click[{values[0]}]"])
            assert found.decision == "needless"
            assert (
                found.reason.startswith("this product does not fit, whatever is chosen: it") or "nothing says" in found.reason
            )


def test_looking_at_candidates_is_exploring_until_what_fits_was_seen(scene: Scene) -> None:
    one, other, *_ = scene.candidates
    assert verdict(scene.planner, [scene.search, one]).decision == "exploring"
    assert verdict(scene.planner, [scene.search, one, BACK]).decision == "useful"
    assert verdict(scene.planner, [scene.search, one, BACK, other]).decision == "exploring"
    again = verdict(scene.planner, [scene.search, one, BACK, one])
    assert (again.decision, "looked at before" in again.reason) == ("needless", True)
    assert verdict(scene.planner, [*scene.open, BACK, one]).decision == "needless"
    assert verdict(scene.planner, [scene.search, scene.hopeless[0]]).decision == "needless"


def test_leaving_what_fits_is_harmful(scene: Scene) -> None:
    for leaving in (BACK, USELESS, "click[Back to Search]"):
        found = verdict(scene.planner, [*scene.open, leaving])
        assert (found.decision, found.reason) == ("harmful", "this leaves a product that fits the goal")
    for leaving in (USELESS, "click[Back to Search]"):
        found = verdict(scene.planner, [scene.search, leaving])
        assert (found.decision, found.reason) == ("harmful", "this leaves results that show what fits the goal")
    past = verdict(scene.planner, [scene.search, NEXT])
    assert (past.decision, past.reason) == ("harmful", "what fits the goal is on page 1 of these results")


def test_searches_are_judged_by_what_they_show(scene: Scene) -> None:
    found = verdict(scene.planner, [USELESS])
    assert (found.decision, found.reason) == ("needless", "no result of this search fits the goal")
    assert verdict(scene.planner, [scene.search, scene.search]).decision == "needless"
    assert verdict(scene.planner, [USELESS, scene.search]).decision == "useful"
    assert verdict(scene.planner, [USELESS, NEXT]).reason == "no page of these results shows what fits the goal"
    assert verdict(scene.planner, [USELESS, "click[Back to Search]"]).decision == "needless"


def test_a_search_that_shows_it_late_is_still_the_first_to_show_it(embedded: World) -> None:
    for i in range(300):
        planner = Planner(embedded, embedded.tasks.goal(f"synthetic-{i}"))
        shown = planner.listed(planner.target.query)
        if shown and shown[0][0] >= 3:
            found = verdict(planner, [f"search[{planner.target.query}]"])
            assert (found.decision, found.reason) == ("useful", "this search shows what fits the goal")
            return
    pytest.fail("no query shows what fits on a later page")


def test_reading_explores_while_something_is_unread(embedded: World) -> None:
    decisions: set[tuple[str, str]] = set()
    for i in range(60):
        planner = Planner(embedded, embedded.tasks.goal(f"synthetic-{i}"))
        way = planner.way(State(), 15)
        assert way is not None
        prospect, opened = planner.prospect(way.number), list(way.actions[:2])
        for section in ("Description", "Features", "Reviews"):
            found = verdict(planner, [*opened, f"click[{section}]"])
            tells = section != "Reviews" and any(a not in prospect.product.name.lower() for a in planner.goal.attributes)
            assert found.decision == ("exploring" if tells else "needless")
            decisions.add((section, found.decision))
            again = verdict(planner, [*opened, f"click[{section}]", BACK, f"click[{section}]"])
            assert (again.decision, again.reason) == ("needless", "this was read before")
    assert ("Features", "exploring") in decisions


@pytest.mark.parametrize("action", ["click[xyzzy]", "look around", "search", "Search[tea]", "click[]"])
def test_what_the_shop_ignores_is_invalid(scene: Scene, action: str) -> None:
    found = verdict(scene.planner, [*scene.open, action])
    assert (found.decision, found.distance_before, found.distance_after) == ("invalid", 3, 3)


def test_a_step_that_comes_too_late_is_fatal_even_if_nothing_happens(scene: Scene) -> None:
    for wasted in ("click[xyzzy]", USELESS, "click[Features]", NEXT):
        found = verdict(scene.planner, [scene.search, wasted], max_steps=5)
        assert found.decision == "fatal"
        assert "too late: 1.00 cannot be earned any more in the 3 steps left" in found.reason
    hopeless = verdict(scene.planner, [USELESS, USELESS, USELESS], max_steps=3)
    assert (hopeless.decision, hopeless.reason.startswith("it was too late before")) == ("fatal", True)


def test_what_is_left_is_judged_by_what_can_still_be_earned(scene: Scene) -> None:
    late = [scene.search, "click[xyzzy]"]
    way = scene.planner.way(State(Place.RESULTS, scene.planner.searches[0], 1), 3)
    assert way is not None
    assert 0.0 < way.reward < 1.0
    for action in way.actions:
        late.append(action)
        assert verdict(scene.planner, late, max_steps=5).decision == "useful"
    assert verdict(scene.planner, late, max_steps=5).reason == "this is the best purchase that could be reached"


@given(st.data(), st.integers(1, 15))
def test_the_rule_holds_for_any_step(embedded: World, data: st.DataObject, left: int) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    past = data.draw(wander(planner))
    action = data.draw(st.sampled_from(ideas(planner, past[-1])))
    after = embedded.shop.after(past[-1], action)
    found = judge(planner, Step(past, action, after), left)
    before, now = planner.way(past[-1], left + 1), planner.way(past[-1] if after is None else after, left)
    assert found.reason
    assert found.reason[0].islower() or found.reason[0].isdigit()
    reachable = 0.0 if before is None else before.reward
    bought = after is not None and after.place is Place.DONE
    earned = planner.earned(after) if bought and after is not None else 0.0 if now is None else now.reward
    assert (found.decision == "fatal") is (earned < reachable or before is None)
    if before is not None and action == before.actions[0]:
        assert found.decision == "useful"
        assert found.distance_after == len(before) - 1
    if after is None and found.decision != "fatal":
        assert found.decision == "invalid"
    if found.decision not in ERROR_DECISIONS and found.decision != "exploring" and now is not None and not bought:
        assert found.distance_after is not None
        assert found.distance_before is not None
        assert found.distance_after < found.distance_before or action.startswith(("search", "click[B", "click[b"))


@given(st.data())
def test_buying_what_earns_less_is_always_fatal(embedded: World, data: st.DataObject) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    past = data.draw(wander(planner))
    state = past[-1]
    if state.place is not Place.ITEM:
        number = data.draw(st.integers(0, len(embedded.shop.catalogue) - 1))
        state = State(Place.ITEM, planner.searches[0], 1, number)
    after = embedded.shop.after(state, BUY)
    assert after is not None
    found = judge(planner, Step([*past, state], BUY, after), 5)
    values = {value for _, value in state.options}
    right = planner.right(state.product) and {option_value(wanted) for wanted in planner.goal.options} <= values
    assert found.decision == ("useful" if right else "fatal")


def test_what_is_not_on_the_page_is_named_as_it_was_written(scene: Scene) -> None:
    found = verdict(scene.planner, [scene.search, "click[B0NOTTHERE]"])
    assert (found.decision, found.reason) == ("invalid", "there is no B0NOTTHERE to click on this page")
