"""Porter's stemmer (Program 14(3), 1980) as Lucene's ``PorterStemFilter`` has it.

It differs from the paper in two suffixes (``bli``, ``logi``) and in leaving words of one or two letters alone; other
stemmers of the name differ again, and every difference changes rankings.
"""

from __future__ import annotations

import re
from typing import Final

# A run of consonants and a run of vowels; y is a vowel behind a consonant. Atomic, so that a match counts whole runs.
_C: Final = "(?>[^aeiou][^aeiouy]*)"
_V: Final = "(?>[aeiouy][aeiou]*)"
_HAS_VOWEL: Final = re.compile(f"(?>{_C}?)[aeiouy]").match
_MEASURE_ABOVE_0: Final = re.compile(f"(?>{_C}?){_V}{_C}").match
_MEASURE_ABOVE_1: Final = re.compile(f"(?>{_C}?){_V}{_C}{_V}{_C}").match
_SHORT: Final = re.compile(f"{_C}[aeiouy][^aeiouwxy]").fullmatch
"""One syllable that ends consonant, vowel, consonant: it keeps or gets an e."""

_DOUBLE: Final = re.compile(r"([^aeiouylsz])\1$|[^aeiouy]yy$").search

_STEP_3: Final = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
)
_STEP_4: Final = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
_STEP_5: Final = re.compile(
    "(?:al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|(?<=[st])ion|ou|ism|ate|iti|ous|ive|ize)$"
).search


def stem(word: str) -> str:
    """The stem of a word in lower case."""
    if len(word) < 3:
        return word
    word = _participle(_plural(word))
    if word.endswith("y") and _HAS_VOWEL(word, 0, len(word) - 1):
        word = word[:-1] + "i"
    word = _replaced(_replaced(word, _STEP_3), _STEP_4)
    if (suffix := _STEP_5(word)) and _MEASURE_ABOVE_1(word, 0, suffix.start()):
        word = word[: suffix.start()]
    return _last_letter(word)


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _participle(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _MEASURE_ABOVE_0(word, 0, len(word) - 3) else word
    kept = word[:-2] if word.endswith("ed") else word[:-3] if word.endswith("ing") else ""
    if not _HAS_VOWEL(kept):
        return word
    if kept.endswith(("at", "bl", "iz")) or _SHORT(kept):
        return kept + "e"
    return kept[:-1] if _DOUBLE(kept) else kept


def _replaced(word: str, suffixes: tuple[tuple[str, str], ...]) -> str:
    """With the first suffix that fits exchanged, if what is before it has a syllable that ends in a consonant."""
    for suffix, other in suffixes:
        if word.endswith(suffix):
            end = len(word) - len(suffix)
            return word[:end] + other if _MEASURE_ABOVE_0(word, 0, end) else word
    return word


def _last_letter(word: str) -> str:
    """Without a final e or the second of two l, where the rest is long enough."""
    long = _MEASURE_ABOVE_1(word)
    if word.endswith("e") and (long or (_MEASURE_ABOVE_0(word) and not _SHORT(word, 0, len(word) - 1))):
        word = word[:-1]
    return word[:-1] if long and word.endswith("ll") else word
