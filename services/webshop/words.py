"""Words of a text as Lucene's ``StandardTokenizer`` (8.11) finds them: Unicode's default word boundaries and emoji.

The rules read kinds of characters, not characters: a text is first written as a string of kinds of the same length, and
one pattern over that string finds where words are.
"""

from __future__ import annotations

import re
from typing import Final

from services.webshop.characters import CharacterKinds

LONGEST: Final = 255
"""A longer word is cut into pieces of this length."""

_EXTENDED: Final = "[XVTZk]*+"
_JOINER: Final = f"(?:_{_EXTENDED})"
_KATAKANA: Final = f"K{_EXTENDED}"
_LETTER: Final = f"(?:H{_EXTENDED}(?:'{_EXTENDED}|\"{_EXTENDED}(?=H))|[LH]{_EXTENDED})"
_NUMBER: Final = f"N{_EXTENDED}"
_RUN: Final = (
    f"(?:{_LETTER}(?:(?:[:.']{_EXTENDED})?{_LETTER})*"
    f"|{_NUMBER}(?:(?:[,.']{_EXTENDED})?{_NUMBER})*)+"
    f"|{_KATAKANA}(?:{_JOINER}*{_KATAKANA})*"
)
_WORD: Final = f"{_JOINER}*+(?:{_RUN})(?:{_JOINER}++(?:{_RUN}))*{_JOINER}*"
_WITHIN: Final = "(?:[Xk]|Z(?!Z*[EM]))*+"
"""What belongs to a picture without choosing its style; a joiner before another picture joins the two."""
_PICTURE: Final = f"(?:E{_WITHIN}(?:M{_WITHIN}|V)?|M{_WITHIN})"
_PLAIN: Final = r"[LN]++(?= |\Z)"
"""Most words: letters and digits up to what ends any word. Only a shorter way to say what _WORD says."""
_PATTERN: Final = re.compile(
    f"{_PLAIN}|{_WORD}|(?:S{_EXTENDED})+|[IJ]{_EXTENDED}"
    f"|Z*+{_PICTURE}(?:Z++{_PICTURE})*|#{_WITHIN}V?k{_WITHIN}|(?:R{_EXTENDED}){{2}}"
)


class WordFinder:
    """Finds words; remembers the kinds of the characters it met."""

    def __init__(self) -> None:
        self._kinds = CharacterKinds()

    def words(self, text: str) -> list[str]:
        """Words in order, as written."""
        found: list[str] = []
        for match in _PATTERN.finditer(text.translate(self._kinds)):
            begin, end = match.span()
            if end - begin <= LONGEST:
                found.append(text[begin:end])
            else:
                found += [text[part : min(part + LONGEST, end)] for part in range(begin, end, LONGEST)]
        return found
