"""Ways to the best purchase: they end as promised, from wherever they begin, and nothing shorter does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.webshop.planner import BACK, BUY, Planner, Way
from services.webshop.state import Place, State
from services.webshop.world import World
from tests.support.webshop import goals, wander


def played(planner: Planner, state: State, actions: tuple[str, ...]) -> list[State]:
    """The states after each action, all of which the shop takes."""
    states: list[State] = []
    for action in actions:
        after = planner.world.shop.after(state, action)
        assert after is not None, action
        states.append(after)
        state = after
    return states


def must(way: Way | None) -> Way:
    assert way is not None
    return way


@given(st.data(), st.integers(1, 15))
def test_a_way_earns_what_it_promises_and_gets_shorter_by_each_step(embedded: World, data: st.DataObject, left: int) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    state = data.draw(wander(planner))[-1]
    way = planner.way(state, left)
    if way is None:
        assert left < 3
        return
    assert len(way) <= left
    states = [state, *played(planner, state, way.actions)]
    assert states[-1].place is Place.DONE
    assert planner.earned(states[-1]) == embedded.reward(planner.goal, states[-1]).total == way.reward > 0.0
    for taken, here in enumerate(states[:-1]):
        rest = must(planner.way(here, left - taken))
        assert (rest.reward, len(rest)) == (way.reward, len(way) - taken)


@given(st.data())
def test_everything_there_is_to_earn_is_earned_from_anywhere(embedded: World, data: st.DataObject) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    state = data.draw(wander(planner))[-1]
    assert planner.best == 1.0
    assert must(planner.way(state, 15)).reward == 1.0


@given(st.data())
def test_more_steps_never_earn_less(embedded: World, data: st.DataObject) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    state = data.draw(wander(planner))[-1]
    ways = [planner.way(state, left) for left in range(1, 10)]
    earned = [0.0 if way is None else way.reward for way in ways]
    assert all(fewer <= more for fewer, more in pairwise(earned))


@settings(max_examples=25)
@given(st.data())
def test_no_way_is_shorter(embedded: World, data: st.DataObject) -> None:
    """Compared with every sequence of clicks of two steps less or more, on the pages at hand."""
    planner = Planner(embedded, data.draw(goals(embedded)))
    states = [state for state in data.draw(wander(planner)) if state.place is Place.ITEM]
    for state in states[:1]:
        way = must(planner.way(state, 15))
        frontier = [state]
        for _ in range(min(len(way) - 1, 2)):
            frontier = [
                after
                for here in frontier
                for name in embedded.shop.clickables(here)
                if (after := embedded.shop.after(here, f"click[{name}]")) is not None
            ]
            bought = [here for here in frontier if here.place is Place.DONE]
            assert all(planner.earned(here) < way.reward for here in bought)


def test_steps_that_do_not_suffice_for_all_are_used_for_most(embedded: World) -> None:
    goal = next(goal for goal in map(embedded.tasks.goal, (f"synthetic-{i}" for i in range(50))) if len(goal.options) == 2)
    planner = Planner(embedded, goal)
    rewards = [must(planner.way(State(), left)).reward for left in (3, 4, 5)]
    assert rewards == sorted(set(rewards))
    assert rewards[-1] == 1.0
    assert planner.way(State(), 2) is None
    assert planner.way(State(), 0) is None


def test_there_is_no_way_after_the_end(embedded: World) -> None:
    planner = Planner(embedded, embedded.tasks.goal("synthetic-0"))
    bought = played(planner, State(), must(planner.way(State(), 15)).actions)[-1]
    assert planner.way(bought, 15) is None


@pytest.mark.parametrize("page", [2, 4, 7])
def test_the_way_leads_back_from_pages_past_what_fits(embedded: World, page: int) -> None:
    planner = Planner(embedded, embedded.tasks.goal("synthetic-0"))
    words = planner.searches[0]
    assert planner.listed(words)[0][0] == 1
    way = must(planner.way(State(Place.RESULTS, words, page), 15))
    back = page - 1
    expected = (BACK,) * back if back == 1 else (f"search[{words}]",)
    assert way.actions[: len(expected)] == expected
    assert way.actions[-1] == BUY
