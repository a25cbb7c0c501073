"""Nested lists from PDDL, and what damage looks like."""

from __future__ import annotations

import pytest

from services.alfworld.lisp import read, typed, words
from shared.errors import RestepError


def test_nesting_case_and_comments() -> None:
    assert read("(A (b C) ; (not this)\n ())") == ["a", ["b", "c"], []]


@pytest.mark.parametrize("text", ["", "word", "(a", "(a))", "(a) (b)", "(a) b", ")("])
def test_what_is_not_one_expression_is_corrupt(text: str) -> None:
    with pytest.raises(RestepError) as failure:
        read(text)
    assert failure.value.code == "data_corrupt"


def test_types_belong_to_the_names_before_them() -> None:
    assert typed(["a", "b", "-", "t", "c"]) == [("a", "t"), ("b", "t"), ("c", "object")]


@pytest.mark.parametrize("items", [["a", "-"], ["-", "t"]])
def test_types_without_names_and_names_without_types_are_corrupt(items: list[str]) -> None:
    with pytest.raises(RestepError):
        typed(items)


def test_words_are_flat() -> None:
    assert words(["a", "b"], "x") == ["a", "b"]
    for tree in ("a", ["a", ["b"]]):
        with pytest.raises(RestepError, match="x: expected"):
            words(tree, "x")  # pyright: ignore[reportArgumentType]
