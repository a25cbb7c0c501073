"""What kind of character each one is to the word boundaries of Unicode (UAX #29, version 9) and to emoji (version 11).

Python knows the general category of a character but not these properties, so they are put together from categories and
the few ranges that categories do not tell. Lucene's ``StandardTokenizer`` reads the same properties.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from typing import Final

LETTER: Final = "L"
HEBREW: Final = "H"
NUMBER: Final = "N"
KATAKANA: Final = "K"
JOINER: Final = "_"
"""Underscores and their like, which join words."""
EXTENDER: Final = "X"
"""Accents and format characters, which belong to what is before them."""
EMOJI_STYLE: Final = "V"
TEXT_STYLE: Final = "T"
ZERO_WIDTH_JOINER: Final = "Z"
KEYCAP: Final = "k"
KEYCAP_BASE: Final = "#"
IN_WORD: Final = ":"
IN_NUMBER: Final = ","
IN_BOTH: Final = "."
SINGLE_QUOTE: Final = "'"
DOUBLE_QUOTE: Final = '"'
PICTURE: Final = "E"
SKIN: Final = "M"
"""Modifiers of an emoji's skin tone."""
FLAG_HALF: Final = "R"
IDEOGRAPH: Final = "I"
HIRAGANA: Final = "J"
SOUTH_EAST_ASIAN: Final = "S"
OTHER: Final = " "

_SINGLE: Final = {
    "'": SINGLE_QUOTE,
    '"': DOUBLE_QUOTE,
    "#": KEYCAP_BASE,
    "*": KEYCAP_BASE,
    "\u20e3": KEYCAP,
    "\ufe0f": EMOJI_STYLE,
    "\ufe0e": TEXT_STYLE,
    "\u200d": ZERO_WIDTH_JOINER,
    "\u200b": OTHER,
    **dict.fromkeys(":\u00b7\u02d7\u0387\u05f4\u2027\ufe13\ufe55\uff1a", IN_WORD),
    **dict.fromkeys(".\u2018\u2019\u2024\ufe52\uff07\uff0e", IN_BOTH),
    **dict.fromkeys(",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b", IN_NUMBER),
}
_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl"})
_EXTENDERS: Final = frozenset({"Mn", "Mc", "Me", "Cf"})

_RANGES: Final = (
    (HEBREW, "05d0-05ea 05f0-05f2 fb1d-fb1d fb1f-fb28 fb2a-fb36 fb38-fb3c fb3e-fb3e fb40-fb41 fb43-fb44 fb46-fb4f"),
    (KATAKANA, "3031-3035 309b-309c 30a0-30fa 30fc-30ff 31f0-31ff 32d0-32fe 3300-3357 ff66-ff9d 1b000-1b000"),
    (HIRAGANA, "3041-3096 309d-309f 1b001-1b001 1f200-1f200"),
    (IDEOGRAPH, "2e80-2e99 2e9b-2ef3 2f00-2fd5 3005-3005 3007-3007 3021-3029 3038-303b 3400-4db5 4e00-9fd5 f900-fa6d "
                "fa70-fad9 20000-2a6d6 2a700-2b734 2b740-2b81d 2b820-2cea1 2f800-2fa1d"),
    (SOUTH_EAST_ASIAN, "0e01-0e3a 0e40-0e4e 0e81-0ec6 0edc-0edf 1000-103f 1050-108f 109a-109f 1780-17d3 17d7-17d7 "
                       "17dc-17dc 1950-19ab 19b0-19c9 19de-19df 1a20-1a5e 1aa0-1aad a9e0-a9ef a9fa-a9fe aa60-aac2 aadb-aadf"),
    (EXTENDER, "ff9e-ff9f"),
    (LETTER, "05f3-05f3 24b6-24e9 1f130-1f149 1f150-1f169 1f170-1f189"),
    (FLAG_HALF, "1f1e6-1f1ff"),
    (SKIN, "1f3fb-1f3ff"),
    (PICTURE, "00a9-00a9 00ae-00ae 203c-203c 2049-2049 2122-2122 2194-2199 21a9-21aa 231a-231b 2328-2328 2388-2388 "
              "23cf-23cf 23e9-23f3 23f8-23fa 25aa-25ab 25b6-25b6 25c0-25c0 25fb-25fe 2600-2605 2607-2612 2614-2685 "
              "2690-2705 2708-2712 2714-2714 2716-2716 271d-271d 2721-2721 2728-2728 2733-2734 2744-2744 2747-2747 "
              "274c-274c 274e-274e 2753-2755 2757-2757 2763-2767 2795-2797 27a1-27a1 27b0-27b0 27bf-27bf 2934-2935 "
              "2b05-2b07 2b1b-2b1c 2b50-2b50 2b55-2b55 3030-3030 303d-303d 3297-3297 3299-3299 1f000-1f0ff 1f10d-1f10f "
              "1f12f-1f12f 1f16c-1f16f 1f18e-1f18e 1f191-1f19a 1f1ad-1f1e5 1f201-1f20f 1f21a-1f21a 1f22f-1f22f "
              "1f232-1f23a 1f23c-1f23f 1f249-1f3fa 1f400-1f53d 1f546-1f64f 1f680-1f6ff 1f774-1f77f 1f7d5-1f7ff "
              "1f80c-1f80f 1f848-1f84f 1f85a-1f85f 1f888-1f88f 1f8ae-1f8ff 1f90c-1f93a 1f93c-1f945 1f947-1fffd"),
)  # fmt: skip


class CharacterKinds(dict[int, str]):
    """A table for ``str.translate``: code point to its kind, found when first asked for."""

    def __init__(self) -> None:
        super().__init__()
        ranges = sorted(
            (int(begin, 16), int(end, 16), kind)
            for kind, written in _RANGES
            for begin, end in (one.split("-") for one in written.split())
        )
        self._begins = [begin for begin, _, _ in ranges]
        self._ranges = ranges

    def __missing__(self, code: int) -> str:
        kind = self[code] = self._kind(chr(code))
        return kind

    def _kind(self, character: str) -> str:
        if character in _SINGLE:
            return _SINGLE[character]
        category = unicodedata.category(character)
        if category == "Nd":
            return NUMBER
        if category in _EXTENDERS:
            return EXTENDER
        if category == "Pc":
            return JOINER
        place = bisect_right(self._begins, ord(character)) - 1
        if place >= 0:
            _, end, kind = self._ranges[place]
            if ord(character) <= end:
                return kind
        return LETTER if category in _LETTERS else OTHER
