"""Nouns of names: from a table, else by rule."""

from __future__ import annotations

from dataclasses import replace

from services.webshop.nouns import Nouns, words
from services.webshop.world import World


def test_words_leave_function_words_numbers_and_single_letters_out() -> None:
    assert words("The Men's 3-Pack of Cotton T-Shirts, for Summer (Cotton)") == (
        "men",
        "pack",
        "cotton",
        "shirts",
        "summer",
        "cotton",
    )
    assert words("Café 120ml & \u2605") == ("café", "ml")


def test_the_table_comes_first_and_the_rule_fills_in(world: World) -> None:
    known = replace(world.stock.catalogue[0], name="Red Lamp")
    unknown = replace(known, asin="B0UNKNOWN0")
    nouns = Nouns({known.asin: ["lamp"]}, "table")
    assert nouns.of(known) == ("lamp",)
    assert nouns.of(unknown) == ("red", "lamp")


def test_a_table_may_know_that_there_are_none(world: World) -> None:
    product = world.stock.catalogue[0]
    assert Nouns({product.asin: []}, "table").of(product) == ()
