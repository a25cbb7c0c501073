"""Actions are read as the benchmark reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.actions import click, parse_action


@pytest.mark.parametrize(
    ("action", "parsed"),
    [
        ("search[Red Shoes]", ("search", "red shoes")),
        ("click[< Prev] and more", ("click", "< prev")),
        ("click[a[b]]", ("click[a", "b]")),
        ("click[x]\nclick[y]", ("click", "x")),
        ("Click[x]", ("Click", "x")),
        (" click[x]", (" click", "x")),
        ("click[]", ("click[]", "")),
        ("click[buy now", ("click[buy now", "")),
        ("\nclick[x]", ("\nclick[x]", "")),
        ("", ("", "")),
    ],
)
def test_name_and_argument(action: str, parsed: tuple[str, str]) -> None:
    assert parse_action(action) == parsed


@given(st.from_regex(r"[a-z0-9 <>'\"(|.]+", fullmatch=True))
def test_a_click_is_read_back(name: str) -> None:
    assert parse_action(click(name)) == ("click", name)
