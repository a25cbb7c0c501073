"""Words are where Unicode's default boundaries are, and emoji are words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.words import LONGEST, WordFinder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" ,.-!? ", []),
        ("two words", ["two", "words"]),
        ("don't o'clock'", ["don't", "o'clock"]),
        ("men\u2019s rock\u2018n\u2019roll", ["men\u2019s", "rock\u2018n\u2019roll"]),
        ("size:large 3:4 a: b", ["size:large", "3", "4", "a", "b"]),
        ("4.5oz 1,000;5 sq.ft e.g. .5 a.5 5.a", ["4.5oz", "1,000;5", "sq.ft", "e.g", "5", "a", "5", "5", "a"]),
        ("snake_case _x_ __ 1_000", ["snake_case", "_x_", "1_000"]),
        ("wi-fi 36”x36” a/b", ["wi", "fi", "36", "x36", "a", "b"]),
        ("\u65e5\u672c\u8a9e", ["\u65e5", "\u672c", "\u8a9e"]),
        ("\u3072\u3089", ["\u3072", "\u3089"]),
        ("\u30ab\u30bf\u30ab\u30ca a", ["\u30ab\u30bf\u30ab\u30ca", "a"]),
        ("\uc77c\ud488 \ud574\ubb3c", ["\uc77c\ud488", "\ud574\ubb3c"]),
        ("\u0e44\u0e17\u0e22 \u0e01\u0e34\u0e19", ["\u0e44\u0e17\u0e22", "\u0e01\u0e34\u0e19"]),
        ("e\u0301te\u0301 co\u00adop", ["e\u0301te\u0301", "co\u00adop"]),
        ("\u05e6\u05d4\"\u05dc \u05d2'", ['\u05e6\u05d4"\u05dc', "\u05d2'"]),
        ("\uff46\uff55\uff4c\uff4c\uff11", ["\uff46\uff55\uff4c\uff4c\uff11"]),
        ("nice\u2764\ufe0f\u2764 \u2605a", ["nice", "\u2764\ufe0f", "\u2764", "\u2605", "a"]),
        ("\U0001f338\U0001f338", ["\U0001f338", "\U0001f338"]),
        ("\U0001f468\u200d\U0001f4bc", ["\U0001f468\u200d\U0001f4bc"]),
        ("\U0001f44d\U0001f3fd!", ["\U0001f44d\U0001f3fd"]),
        ("\U0001f1e9\U0001f1ea\U0001f1eb", ["\U0001f1e9\U0001f1ea"]),
        ("#\ufe0f\u20e3 # 1\ufe0f\u20e3", ["#\ufe0f\u20e3", "1\ufe0f\u20e3"]),
        ("acme\u2122 \u00ae \u25cf \u2606 \u2460", ["acme", "\u2122", "\u00ae"]),
        ("a\u200bb", ["a", "b"]),
    ],
)
def test_boundaries(text: str, words: list[str]) -> None:
    assert WordFinder().words(text) == words


def test_a_long_word_is_cut() -> None:
    assert [len(word) for word in WordFinder().words("x" * (2 * LONGEST + 1))] == [LONGEST, LONGEST, 1]


@given(st.text(), st.text())
def test_a_space_parts_words(one: str, other: str) -> None:
    finder = WordFinder()
    assert finder.words(f"{one} {other}") == finder.words(one) + finder.words(other)


@given(st.text())
def test_words_are_pieces_of_the_text_in_order(text: str) -> None:
    at = 0
    for word in WordFinder().words(text):
        at = text.index(word, at) + len(word)


@given(st.text())
def test_no_letter_or_digit_is_lost(text: str) -> None:
    kept = "".join(WordFinder().words(text))
    assert sum(map(str.isalpha, kept)) == sum(map(str.isalpha, text))
    assert sum(map(str.isdecimal, kept)) == sum(map(str.isdecimal, text))
