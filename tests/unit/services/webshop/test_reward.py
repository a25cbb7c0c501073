"""What a purchase earns: each part by example, and what must hold for any purchase."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.goals import Goal
from services.webshop.nouns import Nouns
from services.webshop.product import Product
from services.webshop.reward import Scorer, plain, similar
from services.webshop.world import World

LAMP = Product(
    asin="B000000001",
    category="garden",
    query="lamps",
    product_category="Home \u203a Lighting \u203a Lamps",
    name="Oak Desk Lamp",
    description="Warm LIGHT for a desk.",
    bullets=("Dimmable by touch", "Solid wood"),
    pricing=(25.0,),
    price_text="$25.0",
    options={"color": ("red", "navy blue"), "size": ("small", "x-large")},
    attributes=("energy efficient",),
)
OTHER = replace(LAMP, asin="B000000002", query="tables", product_category="", name="Table")
GOAL = Goal(0, "", ("energy efficient",), (("color", "red"), ("size", "small")), 30.0, 1.0)
SCORER = Scorer(Nouns({"B000000001": ["oak", "desk", "lamp"], "B000000002": ["table"]}, "table"))
WORDS = st.lists(st.sampled_from(["red", "Navy", "x-large", "large", "size", "small", "é", "\u2605", "100", ""]), max_size=6)
TEXTS = WORDS.map(" ".join) | st.text(max_size=20)


def total(goal: Goal = GOAL, bought: Product = LAMP, price: float = 25.0, *options: str) -> float:
    return SCORER.reward(goal, LAMP, bought, price, options).total


def test_the_wanted_purchase_earns_everything() -> None:
    assert total(GOAL, LAMP, 25.0, "red", "small") == 1.0
    assert total(GOAL, LAMP, 30.0, "red", "small") == 1.0


def test_each_miss_costs_its_share() -> None:
    assert total(GOAL, LAMP, 30.01, "red", "small") == 0.75
    assert total(GOAL, LAMP, 25.0, "red") == 0.75
    assert total(GOAL, replace(LAMP, attributes=("long lasting",)), 25.0, "red", "small") == 0.75
    assert total() == 0.5


def test_parts_are_shares_and_weights() -> None:
    reward = SCORER.reward(GOAL, LAMP, LAMP, 25.0, ["small"])
    assert (reward.r_att, reward.w_att, reward.r_option, reward.w_option) == (1.0, 0.25, 0.5, 0.5)
    assert (reward.r_price, reward.w_price) == (True, 0.25)
    free = SCORER.reward(replace(GOAL, options=()), LAMP, LAMP, 25.0, ["small"])
    assert (free.r_option, free.w_option, free.total) == (None, None, 1.0)


@pytest.mark.parametrize("attribute", ["oak desk", "dimmable", "touch solid", "warm light", "efficient, energy"])
def test_an_attribute_may_stand_in_any_text(attribute: str) -> None:
    assert SCORER.has_attribute(LAMP, attribute)


@pytest.mark.parametrize("attribute", ["oak lamp", "desk lamp oak", "dimmable light", "Oak Desk", "water proof"])
def test_words_that_do_not_stand_together_are_no_attribute(attribute: str) -> None:
    assert not SCORER.has_attribute(LAMP, attribute)


@pytest.mark.parametrize(
    ("wanted", "chosen", "hit"),
    [
        (("color", "navy"), "navy blue (striped)", False),  # blue stands before navy in the list
        (("color", "blue"), "navy blue (striped)", True),
        (("size", "x-large"), "large", True),  # words too many on one side are no difference
        (("size", "large"), "x-large", False),
        ("10.5", "10.5 wide", True),
        (("size", "small"), "size", True),  # the name of the option is part of what is wanted
    ],
)
def test_options_are_matched_roughly_as_there(wanted: str | tuple[str, str], chosen: str, hit: bool) -> None:
    assert SCORER.is_option(wanted, chosen) is hit


@pytest.mark.parametrize(
    ("nouns", "query", "category", "r_type"),
    [
        (["lamp"], "lamps", "", 1.0),
        (["lamp"], "x", "", 1.0),
        (["lamp", *"abcd"], "x", "", 0.5),
        (["lamp", *"abcd"], "lamps", "", 1.0),
        (["lamp", *"abcd"], "x", "Lamps \u203a Home", 1.0),
        (["lamp", *"abcdefghij"], "lamps", "", 0.1),
        (["chair"], "lamps", "Home \u203a Lighting \u203a Lamps", 0.0),
        ([], "x", "", 0.5),
    ],
)
def test_the_type_is_told_by_nouns_first(nouns: list[str], query: str, category: str, r_type: float) -> None:
    target = replace(LAMP, asin="B000000003")
    scorer = Scorer(Nouns({LAMP.asin: ["lamp"], "B000000003": nouns}, "table"))
    bought = replace(LAMP, query=query, product_category=category)
    assert scorer.reward(GOAL, target, bought, 25.0, []).r_type == r_type


def plainly_similar(one: str, other: str) -> bool:
    """thefuzz's definition word for word, with the longest common subsequence."""

    def ratio(left: str, right: str) -> int:
        lengths = [0] * (len(right) + 1)
        for letter in left:
            above = 0
            for place, other_letter in enumerate(right, 1):
                above, lengths[place] = (
                    lengths[place],
                    above + 1 if letter == other_letter else max(lengths[place], lengths[place - 1]),
                )
        return round(100 * 2 * lengths[-1] / (len(left) + len(right))) if left and right else 0

    def tokens(text: str) -> set[str]:
        kept = "".join(letter for letter in text if not 128 <= ord(letter) < 256)
        return set("".join(letter if letter.isalnum() or letter == "_" else " " for letter in kept).lower().split())

    left, right = tokens(one), tokens(other)
    both = " ".join(sorted(left & right))
    sides = [f"{both} {' '.join(sorted(own - both_of))}".strip() for own, both_of in ((left, right), (right, left))]
    return max(ratio(both, sides[0]), ratio(both, sides[1]), ratio(*sides)) > 85


@given(TEXTS, TEXTS)
def test_similar_is_what_its_definition_says(one: str, other: str) -> None:
    assert similar(plain(one), plain(other)) is similar(plain(other), plain(one)) is plainly_similar(one, other)


@given(st.data())
def test_any_purchase_earns_a_share_and_more_options_never_less(world: World, data: st.DataObject) -> None:
    catalogue, tasks = world.stock.catalogue, world.tasks.select()
    goal = world.tasks.goal(tasks[data.draw(st.integers(0, len(tasks) - 1))].id)
    number = data.draw(st.sampled_from([goal.product, *range(0, len(catalogue), 7)]))
    bought, target = catalogue[number], catalogue[goal.product]
    values = [value for group in bought.options.values() for value in group]
    chosen = data.draw(st.lists(st.sampled_from(values), max_size=4)) if values else []
    reward = world.scorer.reward(goal, target, bought, world.prices[number], chosen)
    shares = reward.r_att * reward.w_att + (reward.r_option or 0) * (reward.w_option or 0) + reward.r_price * reward.w_price
    assert 0 <= reward.total <= 1
    assert reward.total == pytest.approx(reward.r_type * shares)
    assert world.scorer.reward(goal, target, bought, world.prices[number], [*chosen, *values]).total >= reward.total
    if number == goal.product:
        wanted = [option if isinstance(option, str) else option[1] for option in goal.options]
        assert world.scorer.reward(goal, target, bought, world.prices[number], wanted).total == 1.0
