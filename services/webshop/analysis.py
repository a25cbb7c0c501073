"""Text to index terms, as Lucene's English analysis makes them: words, no possessive, lower case, no stop words, stems."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from services.webshop.stemmer import stem
from services.webshop.words import WordFinder

STOP_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
        "to was will with",
    )
)
"""Lucene's ``EnglishAnalyzer.ENGLISH_STOP_WORDS_SET``."""

_POSSESSIVE: Final = ("'s", "\u2019s", "\uff07s")
_KEPT: Final = 1 << 18


class Analyzer:
    """Remembers the terms of the words it met, since a catalogue repeats itself."""

    def __init__(self) -> None:
        self._finder = WordFinder()
        self._terms: dict[str, str | None] = {}

    def terms(self, text: str) -> Iterator[str]:
        """Terms in the order of the text."""
        known = self._terms
        if len(known) > _KEPT:
            known.clear()
        for word in self._finder.words(text.lower()):
            if word not in known:
                known[word] = _term(word)
            term = known[word]
            if term is not None:
                yield term


def _term(word: str) -> str | None:
    """The term of a word in lower case, None for a stop word."""
    if word.endswith(_POSSESSIVE):
        word = word[:-2]
    return None if word in STOP_WORDS else stem(word)
