"""Values are reduced to the first colour they contain, in the benchmark's order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webshop.colours import COLOURS, plain_colour


def test_the_order_decides() -> None:
    assert len(set(COLOURS)) == len(COLOURS) == 102
    assert plain_colour("navy blue") == "blue"
    assert plain_colour("light wine red") == "light"
    assert plain_colour("x-large") == "x-large"
    assert plain_colour("tapered") == "red"  # contained is enough


def test_a_pair_has_a_colour_only_as_one_of_its_two() -> None:
    assert plain_colour(("color", "blue")) == "blue"
    assert plain_colour(("color", "navy blue")) == ("color", "navy blue")


@given(st.text())
def test_what_comes_out_was_in(value: str) -> None:
    found = plain_colour(value)
    assert isinstance(found, str)
    assert found in value
    assert plain_colour(found) in COLOURS or found == value


def test_another_list_may_be_given() -> None:
    assert plain_colour("navy blue", ["navy"]) == "navy"
