"""Thoughts are short, name what stands in goal and page, and say nothing that is not so."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from services.webshop.planner import BACK, BUY, NEXT, Planner
from services.webshop.shop import PAGE
from services.webshop.state import Place, State
from services.webshop.thoughts import MAX_WORDS, thought
from services.webshop.world import World
from tests.support.webshop import goals, wander


@given(st.data(), st.integers(1, 15))
def test_a_thought_is_one_short_sentence_for_every_way(embedded: World, data: st.DataObject, left: int) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    state = data.draw(wander(planner))[-1]
    way = planner.way(state, left)
    said = thought(planner, state, way)
    assert bool(said) is (way is not None)
    assert len(said.split()) <= MAX_WORDS
    assert not said or (said[0].isupper() and said.endswith("."))


@given(st.data(), st.integers(3, 15))
def test_what_a_thought_names_can_be_read(embedded: World, data: st.DataObject, left: int) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    state = data.draw(wander(planner))[-1]
    way = planner.way(state, left)
    said, page = thought(planner, state, way), embedded.observation(planner.goal, state)
    if found := re.fullmatch(r"The goal asks for (.+), so I choose (.+)\.", said):
        assert found[1] in planner.goal.text
        assert f" {found[2]} " in page
    if found := re.fullmatch(r"(.+) (?:fits|comes nearest to) the goal, so I open it\.", said):
        assert f" [SEP] {found[1]} [SEP] " in page
    if found := re.fullmatch(r"I need (.+), so I search with the words of the goal\.", said):
        assert found[1] == "what the goal asks for" or found[1] in planner.goal.text
    if found := re.fullmatch(r"Nothing on page (\d+) fits the goal, so I look at the next page\.", said):
        assert f"Page {found[1]} (" in page
        shown = embedded.shop.results(state.keywords)[(state.page - 1) * PAGE : state.page * PAGE]
        assert all(planner.prospect(number).ceiling < 1.0 for number in shown)


@given(st.data(), st.integers(1, 15))
def test_only_what_earns_everything_is_said_to_fit(embedded: World, data: st.DataObject, left: int) -> None:
    planner = Planner(embedded, data.draw(goals(embedded)))
    state = data.draw(wander(planner))[-1]
    way = planner.way(state, left)
    said = thought(planner, state, way)
    if way is not None and way.actions[0] in (BUY, f"click[{embedded.shop.catalogue[way.number].asin}]"):
        assert (" fits the goal" in said or said.startswith("This fits")) is (way.reward == 1.0)


def said_on_the_way(planner: Planner, state: State, left: int = 15) -> list[str]:
    said: list[str] = []
    way = planner.way(state, left)
    while way is not None:
        said.append(thought(planner, state, way))
        after = planner.world.shop.after(state, way.actions[0])
        assert after is not None
        state, left = after, left - 1
        way = planner.way(state, left)
    return said


def test_a_whole_episode_reads_like_this(embedded: World) -> None:
    goal = next(goal for goal in map(embedded.tasks.goal, (f"synthetic-{i}" for i in range(50))) if len(goal.options) == 2)
    planner = Planner(embedded, goal)
    first, opens, *chooses, buys = said_on_the_way(planner, State())
    assert first == f"I need {planner.target.query}, so I search with the words of the goal."
    assert re.fullmatch(r"B[0-9A-Z]{9} fits the goal, so I open it\.", opens)
    wanted = [option for option in goal.options if isinstance(option, tuple)]
    assert chooses == [f"The goal asks for {name}: {value}, so I choose {value}." for name, value in wanted]
    assert buys == "This fits the goal and the options are chosen, so I buy it."


def test_leaving_says_why(embedded: World) -> None:
    planner = Planner(embedded, embedded.tasks.goal("synthetic-1"))
    words = planner.searches[0]
    shown = embedded.shop.results(words)[:PAGE]
    wrong = next(number for number in shown if not planner.right(number))
    lack = planner.prospect(wrong).lack
    on_item = State(Place.ITEM, words, 1, wrong)
    way = planner.way(on_item, 15)
    assert way is not None
    assert way.actions[0] == BACK
    assert thought(planner, on_item, way) == f"{lack[0].upper()}{lack[1:]}, so I go back."
    right, _ = planner.listed(words)[0][::-1]
    on_section = State(Place.SECTION, words, 1, right, "Features")
    reading = planner.way(on_section, 15)
    assert thought(planner, on_section, reading) == "I have read enough here, so I go back to the product."
    late = planner.way(on_item, 1)
    assert thought(planner, on_item, late) in ("Nothing better can be reached from here, so I buy this.", "")


def test_pages_are_turned_for_a_reason(embedded: World) -> None:
    turned: set[str] = set()
    for task in embedded.tasks.select("test")[:200]:
        planner = Planner(embedded, embedded.tasks.goal(task.id))
        query = planner.target.query
        for page in (1, 3, 5):
            state = State(Place.RESULTS, query, page)
            way = planner.way(state, 15)
            if way is not None and way.actions[0] in (NEXT, BACK):
                said = thought(planner, state, way)
                assert ("next page" if way.actions[0] == NEXT else "before this one") in said
                turned.add(way.actions[0])
    assert turned == {NEXT, BACK}
