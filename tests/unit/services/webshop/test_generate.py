"""The generated shop is what it promises: reproducible, short in words, searchable, and every goal can be met."""

from __future__ import annotations

from collections import Counter
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.webshop.generate import EMBEDDED_PRODUCTS, EMBEDDED_SEED, generate_rows
from services.webshop.generate_kinds import KINDS
from services.webshop.library import EMBEDDED
from services.webshop.queries import searches
from services.webshop.rows import Rows, read_pack
from services.webshop.shop import PAGE
from services.webshop.world import World
from shared.errors import RestepError
from tests.support.webshop import SmallShop

CATEGORIES = {"fashion", "beauty", "garden", "grocery", "electronics"}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return read_pack(EMBEDDED)


@pytest.fixture(scope="module")
def shop(rows: Rows) -> SmallShop:
    return SmallShop(rows)


def test_the_embedded_shop_is_made_by_this_code(rows: Rows) -> None:
    assert rows == generate_rows(EMBEDDED_PRODUCTS, EMBEDDED_SEED)


def test_the_embedded_shop_is_small() -> None:
    assert EMBEDDED.stat().st_size < 300_000


def test_there_are_products_of_every_kind_and_goals_for_every_split(rows: Rows, shop: SmallShop) -> None:
    assert len(shop.catalogue) == EMBEDDED_PRODUCTS
    assert set(Counter(row["query"] for row in rows.products).values()) == {EMBEDDED_PRODUCTS // len(KINDS)}
    assert {row["category"] for row in rows.products} == CATEGORIES
    assert len(shop.synthetic) > 3000
    assert len(shop.human) > 50
    assert {shop.synthetic.category(index) for index in range(500)} == CATEGORIES


def test_texts_are_short(rows: Rows) -> None:
    for row in rows.products:
        assert len(row["name"].split()) <= 6
        assert len(row["full_description"].split()) <= 20
        assert 2 <= len(row["small_description"]) <= 5
        assert all(len(bullet.split()) <= 6 for bullet in row["small_description"])
        assert all(2 <= len(values) <= 4 for values in row["customization_options"].values())
    assert mean(len(row["name"].split()) for row in rows.products) < 5.5


def test_every_goal_is_met_by_its_own_product(shop: SmallShop) -> None:
    for goals in (shop.synthetic, shop.human):
        for goal in goals:
            product = shop.catalogue[goal.product]
            values = [wanted if isinstance(wanted, str) else wanted[1] for wanted in goal.options]
            reward = shop.scorer.reward(goal, product, product, shop.prices[goal.product], values)
            assert reward.total == 1.0, goal


def test_the_words_of_a_goal_find_its_product_on_the_first_page(embedded: World) -> None:
    tasks = embedded.tasks.select()[::5]
    first_page = 0
    for task in tasks:
        goal = embedded.tasks.goal(task.id)
        words = searches(goal, embedded.shop.catalogue[goal.product].query)[0]
        first_page += goal.product in embedded.shop.results(words)[:PAGE]
    assert first_page / len(tasks) > 0.95


def test_an_option_is_not_met_by_another_value_of_its_group(shop: SmallShop) -> None:
    for product in shop.catalogue:
        for name, values in product.options.items():
            for wanted in values:
                for written in (wanted, (name, wanted)):
                    assert [value for value in values if shop.scorer.is_option(written, value)] == [wanted]


def test_near_misses_earn_a_part(shop: SmallShop) -> None:
    """Products of the goal's kind: most are worth something, few are as good as the right one."""
    totals: list[float] = []
    for goal in list(shop.synthetic)[:100]:
        own = shop.catalogue[goal.product]
        for number in shop.catalogue.with_query(own.query):
            other = shop.catalogue[number]
            values = [value for name, value in goal.options if value in other.options.get(name, ())]
            totals.append(shop.scorer.reward(goal, own, other, shop.prices[number], values).total)
    assert 0.4 < mean(totals) < 0.75
    assert sum(total == 1.0 for total in totals) / len(totals) < 0.1


def test_attributes_of_a_product_can_be_read_on_its_pages(rows: Rows) -> None:
    for row in rows.products:
        text = " ".join((row["name"], row["full_description"], *row["small_description"])).lower()
        assert all(attribute in text for attribute in rows.instructions[row["asin"]]["attributes"]), row


def test_nouns_are_words_of_the_title(rows: Rows) -> None:
    for row in rows.products:
        nouns = rows.nouns[row["asin"]]
        assert nouns
        assert all(noun in row["name"].lower() for noun in nouns)


def test_another_seed_makes_another_shop() -> None:
    one, other = (generate_rows(50, seed) for seed in (1, 2))
    assert not one.instructions.keys() & other.instructions.keys()


def test_no_product_at_all_is_refused() -> None:
    with pytest.raises(RestepError, match="at least one"):
        generate_rows(0, 1)


@settings(max_examples=20)
@given(st.integers(1, 80), st.integers(0, 10_000))
def test_any_number_of_products_makes_a_shop_with_goals_that_can_be_met(products: int, seed: int) -> None:
    rows = generate_rows(products, seed)
    shop = SmallShop(rows)
    assert len(shop.catalogue) == len(rows.products) == products
    assert len(shop.human) == len(rows.human) >= 1
    for goal in list(shop.synthetic)[:20]:
        product = shop.catalogue[goal.product]
        values = [value for _, value in goal.options]
        assert shop.scorer.reward(goal, product, product, shop.prices[goal.product], values).total == 1.0
