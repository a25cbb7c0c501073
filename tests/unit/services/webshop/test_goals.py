"""Goals: every way to fulfil a request once, the same at the same index in every process, and always within reach."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from itertools import product as combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.webshop.catalogue import ProductList
from services.webshop.generate import generate_rows
from services.webshop.goals import NO_LIMIT, draw_price_upper, make_goals
from services.webshop.world import World

DIGEST = """
import hashlib
from services.webshop.catalogue import ProductList
from services.webshop.generate import generate_rows
from services.webshop.goals import make_goals
rows = generate_rows(30, 4)
print(hashlib.sha256(repr(list(make_goals(ProductList(rows.products, rows.instructions, rows.human))[1])).encode()).hexdigest())
"""


@settings(max_examples=10)
@given(st.integers(1, 40), st.integers(0, 1000))
def test_every_request_with_every_choice_of_options_is_one_goal(products: int, seed: int) -> None:
    rows = generate_rows(products, seed)
    catalogue = ProductList(rows.products, rows.instructions, rows.human)
    prices, synthetic, human = make_goals(catalogue)
    expected: Counter[object] = Counter()
    for number, product in enumerate(catalogue):
        if catalogue.request(number) is not None:
            names = sorted(product.options)
            for values in combinations(*(product.options[name] for name in names)):
                expected[number, tuple(zip(names, values, strict=True))] += 1
    assert Counter((goal.product, goal.options) for goal in synthetic) == expected
    assert len(synthetic) == expected.total()
    assert len(human) == sum(len(catalogue.human_requests(number)) for number in range(len(catalogue)))
    for goals in (synthetic, human):
        for index, goal in enumerate(goals):
            assert goal == goals[index]
            assert prices[goal.product] < goal.price_upper
            assert (f"price lower than {goal.price_upper:.2f} dollars" in goal.text) == (goal.price_upper != NO_LIMIT)
            assert goals.category(index) == catalogue[goal.product].category
            assert 0 < goal.weight <= 1


def test_an_index_is_the_same_goal_in_every_process_and_the_global_generator_is_left_alone() -> None:
    random.seed(1)
    state = random.getstate()
    runs = {subprocess.check_output([sys.executable, "-c", DIGEST], env={"PYTHONHASHSEED": seed}) for seed in ("1", "2")}
    rows = generate_rows(30, 4)
    make_goals(ProductList(rows.products, rows.instructions, rows.human))
    assert len(runs) == 1
    assert random.getstate() == state


def test_a_goal_that_is_not_there(world: World) -> None:
    _, synthetic, _ = make_goals(world.stock.catalogue)
    with pytest.raises(IndexError):
        synthetic[len(synthetic)]


@given(st.floats(0.01, 2000), st.integers())
def test_a_limit_is_a_round_price_a_little_above(price: float, seed: int) -> None:
    limit = draw_price_upper(price, random.Random(seed))
    if price < 980:
        assert price < limit <= price + 40
        assert limit % 10 == 0
    else:
        assert limit == NO_LIMIT


def test_limits_reach_every_choice() -> None:
    rng = random.Random(0)
    drawn = Counter(draw_price_upper(12.0, rng) for _ in range(600))
    assert json.dumps(sorted(drawn)) == "[30.0, 40.0, 50.0]"  # the larger of two different ones of 20, 30, 40, 50
    assert drawn[30.0] < drawn[40.0] < drawn[50.0]
