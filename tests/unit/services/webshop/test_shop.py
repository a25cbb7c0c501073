"""The shop: every transition, what it ignores, and what holds however a shopper wanders."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.actions import click
from services.webshop.generate import generate_rows
from services.webshop.pages import RICH_MODE, TEXT_MODE
from services.webshop.shop import PAGE
from services.webshop.state import Place, State
from services.webshop.world import World
from tests.support.webshop import open_world


def walk(world: World, *actions: str, state: State | None = None) -> State:
    """The state after actions that must all be taken."""
    here = state or State()
    for action in actions:
        after = world.shop.after(here, action)
        assert after is not None, action
        here = after
    return here


@pytest.fixture
def results(world: World) -> State:
    return walk(world, "search[lamp]")


@pytest.fixture
def item(world: World, results: State) -> State:
    found = world.shop.results("lamp")
    number = next(number for number in found[:PAGE] if world.stock.catalogue[number].options)
    return walk(world, click(world.stock.catalogue[number].asin), state=results)


def test_pages_of_results_go_on_past_the_end(world: World, results: State) -> None:
    total = len(world.shop.results("lamp"))
    state = walk(world, *["click[next >]"] * 7, state=results)
    assert state == results._replace(page=8)
    assert list(world.shop.clickables(state)) == ["back to search", "< prev", "next >"]
    assert world.shop.page(state).text == f"Page 8 (Total results: {total}) [SEP] < Prev [SEP] Next >"
    assert walk(world, *["click[< prev]"] * 7, state=state) == results
    assert world.shop.after(results, "click[< prev]") is None


def test_a_product_is_left_for_the_page_it_was_found_on(world: World) -> None:
    second = walk(world, "search[<c> garden]", "click[next >]")
    name = list(world.shop.clickables(second))[-1]
    item = walk(world, click(name), state=second)
    assert item.place is Place.ITEM
    assert world.stock.catalogue[item.product].asin.lower() == name
    assert walk(world, "click[< prev]", state=item) == second._replace(seen=frozenset({item.product}))


def test_options_are_kept_on_sections_and_lost_on_leaving(world: World, item: State) -> None:
    product = world.stock.catalogue[item.product]
    chosen = [(name, values[-1]) for name, values in reversed(list(product.options.items()))]
    state = walk(world, *(click(value) for _, value in chosen), state=item)
    assert state.options == tuple(chosen)
    first, *_ = chosen
    again = walk(world, click(product.options[first[0]][0]), state=state)
    assert [name for name, _ in again.options] == [name for name, _ in chosen]
    for section in ("description", "features", "reviews"):
        shown = walk(world, click(section), state=state)
        assert (shown.place, shown.options) == (Place.SECTION, state.options)
        assert list(world.shop.clickables(shown)) == ["back to search", "< prev"]
        assert walk(world, "click[< prev]", state=shown)._replace(section="") == state
    assert walk(world, "click[< prev]", state=state).options == ()
    assert walk(world, "search[lamp]", state=state) == State(Place.RESULTS, "lamp", 1, seen=state.seen)
    assert walk(world, "click[Back to Search]", state=state) == State()


def test_after_the_purchase_nothing_happens(world: World, item: State) -> None:
    done = walk(world, "click[Buy Now]", state=item)
    assert done.place is Place.DONE
    assert world.shop.clickables(done) == {}
    assert world.shop.after(done, "search[lamp]") is None
    assert world.shop.after(done, "click[buy now]") is None


@pytest.mark.parametrize(
    "action",
    [
        "",
        "lamp",
        "search[]",
        "search",
        "Search[lamp]",
        "click[search]",
        "click[buy now]",
        "click[]",
        "buy now",
        "search[<a> x]",
    ],
)
def test_what_is_ignored_at_the_start(world: World, action: str) -> None:
    assert world.shop.after(State(), action) is None


def test_special_searches(world: World) -> None:
    catalogue = world.stock.catalogue
    assert world.shop.results("<c> garden") == [n for n, product in enumerate(catalogue) if product.category == "garden"]
    assert world.shop.results("<c> garden tools") == world.shop.results("<c> garden")
    query = catalogue[0].query
    assert world.shop.results(f"<q> {query}") == [n for n, product in enumerate(catalogue) if product.query == query]
    assert world.shop.results("<q>") == []
    assert world.shop.after(State(), "search[<c>]") is None
    assert world.shop.after(State(), "search[<a>]") is None


def test_random_products_are_the_seeds(world: World) -> None:
    drawn = {seed: tuple(world.shop.results("<r>", seed)) for seed in range(3)}
    assert len(set(drawn.values())) == 3
    assert all(len(set(found)) == 50 for found in drawn.values())
    assert world.shop.results("<r>", 1) == world.shop.results("<r>", 1)
    assert world.shop.results("<r>x", 1) == world.shop.results("<r>x", 2)
    state = walk(world, "search[<r>]", "click[next >]", state=State(seed=2))
    shown = [number for number in world.shop.clickables(state).values() if number is not None]
    assert shown == list(drawn[2][10:20])


def test_a_shop_smaller_than_a_page() -> None:
    small = open_world(generate_rows(3, 1))
    assert sorted(small.shop.results("<r>")) == [0, 1, 2]


@given(st.integers(), st.sampled_from([TEXT_MODE, RICH_MODE]))
def test_all_that_can_be_clicked_is_shown_and_taken(world: World, seed: int, mode: str) -> None:
    rng = random.Random(seed)
    goal = world.tasks.goal("synthetic-0")
    state = State(seed=seed)
    for _ in range(25):
        clickables = list(world.shop.clickables(state))
        text = world.observation(goal, state, mode)
        for name in clickables:
            assert world.shop.after(state, click(name)) is not None
            assert name in text.lower()
        assert world.shop.after(state, "click[nonexistent thing]") is None
        assert goal.text in text or state.place is Place.DONE
        action = f"search[{rng.choice(['lamp', '<r>', 'red cotton', '<c> beauty', '<q> nothing'])}]"
        if clickables and rng.random() < 0.8:
            action = click(rng.choice(clickables))
        after = world.shop.after(state, action)
        if state.place is Place.DONE:
            assert after is None
            break
        assert after is not None
        assert (after.product >= 0) is (after.place in (Place.ITEM, Place.SECTION, Place.DONE))
        assert (after.page >= 1) is (after.place is not Place.START)
        assert after.place in (Place.ITEM, Place.SECTION, Place.DONE) or not after.options
        state = after


@given(st.integers())
def test_both_modes_show_the_same(world: World, seed: int) -> None:
    """The rich text without its marks is the plain text."""
    rng = random.Random(seed)
    goal, state = world.tasks.goal("human-0"), State()
    marks = ("[button] ", "[clicked button] ", " [button_]", " [clicked button_]")
    for _ in range(8):
        clickables = list(world.shop.clickables(state))
        action = click(rng.choice(clickables)) if clickables else "search[cotton]"
        state = world.shop.after(state, action) or state
        rich = world.observation(goal, state, RICH_MODE)
        for mark in marks:
            rich = rich.replace(mark, "")
        lines = [line.strip() for line in rich.split("\n") if line and not line.startswith("You have clicked ")]
        assert lines == world.observation(goal, state, TEXT_MODE).split(" [SEP] ")
