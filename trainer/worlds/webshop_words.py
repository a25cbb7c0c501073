"""Words for made-up shops, put together at random: what a product comes in cannot be known and has to be read and copied.

Most are words of shops, tokens of their own in all their forms: copying is learned from those, since to copy letter by
letter comes much later. Some are invented from syllables, without end. Sizes have the forms of real catalogues.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from services.webshop.colours import COLOURS
from services.webshop.generate_kinds import KINDS


def _parts(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


_INVENTED: Final = 0.05
KNOWN: Final = sorted(
    {
        *COLOURS,
        *(
            word
            for kind in KINDS
            for phrase in (
                kind.query,
                *kind.looks,
                *kind.features,
                *kind.uses,
                *(v for values in kind.options.values() for v in values),
                *kind.nouns,
                *kind.brands,
            )
            for word in phrase.lower().split()
            if word.isalpha()
        ),
    }
)
"""Words of shops."""

_HEADS: Final = _parts(
    "b, br, c, ch, cl, d, dr, f, fl, g, gl, gr, h, j, k, kr, l, m, n, p, pl, pr, qu, r, s, sh, sl, st, t, tr, v, w, y, z"
)
_VOWELS: Final = _parts("a, e, i, o, u, ai, ea, oo, ou")
_TAILS: Final = ("", *_parts("b, ck, d, ft, k, l, lm, m, n, nd, ng, p, r, rn, rt, s, st, t, x"))
_LETTERS: Final = _parts("xx-small, x-small, small, medium, large, x-large, xx-large, 3x-large, 4x-large, 5x-large")
_FITS: Final = _parts("big, tall, big tall, petite, plus, short, long, regular, wide, x-wide, narrow")
_UNITS: Final = _parts("oz, fl oz, ounce, pounds, lb, ml, ct, count, pc, pack, ft, feet, inch, cm, mm")
_NUMBERED: Final = _parts("color, style, set, type, no., pattern")


def word(rng: random.Random) -> str:
    """A word in lower case, now and then an invented one."""
    if rng.random() >= _INVENTED:
        return rng.choice(KNOWN)
    return "".join(_syllable(rng) for _ in range(rng.choice((1, 1, 2))))


def words(rng: random.Random, most: int) -> str:
    """One to ``most`` words."""
    return " ".join(word(rng) for _ in range(rng.randint(1, most)))


def colour(rng: random.Random) -> str:
    """Such as ``navy``, ``woven dark``, ``black | white`` or ``a17-teal``."""
    one, two = rng.sample(COLOURS, 2)
    return rng.choice(
        (
            one,
            one,
            f"{word(rng)} {one}",
            f"{one} {word(rng)}",
            f"{one} | {two}",
            f"{rng.choice('abcdefgh')}{rng.randint(1, 99)}-{one}",
        )
    )


def size(rng: random.Random) -> str:
    """Such as ``xx-large``, ``9.5 wide``, ``36w x 32l``, ``12 ounce (pack of 6)`` or ``16 x 24 inch``."""
    number, unit = rng.randint(1, 99), rng.choice(_UNITS)
    half = f"{rng.randint(4, 15)}{rng.choice(('', '.5'))}"
    return rng.choice(
        (
            rng.choice(_LETTERS),
            f"{rng.choice(_LETTERS)} {rng.choice(_FITS)}",
            half,
            f"{half} {rng.choice(_FITS)}",
            f"{rng.randint(28, 54)}w x {rng.randint(28, 38)}l",
            f"{number} {unit}",
            f"{number} {unit} (pack of {rng.randint(2, 24)})",
            f"{number} x {rng.randint(1, 99)}",
            f"{rng.randint(1, 12)}.{rng.randint(1, 9)} x {number} {unit}",
        )
    )


def style(rng: random.Random) -> str:
    """Such as ``woven``, ``teal lining`` or ``pattern 12``."""
    return rng.choice((words(rng, 3), words(rng, 2), f"{rng.choice(_NUMBERED)} {rng.randint(1, 99)}"))


OPTIONS: Final[Mapping[str, Callable[[random.Random], str]]] = {
    "Color": colour,
    "Size": size,
    "Style": style,
    "Flavor": style,
    "Scent": style,
    "Item Package Quantity": lambda rng: str(rng.randint(1, 48)),
    "Flavor Name": style,
    "Scent Name": style,
    "Fit Type": lambda rng: rng.choice((*_FITS, "men", "women", "youth")),
    "Pattern Name": style,
    "Material Type": lambda rng: words(rng, 2),
    "Configuration": style,
}
"""Names of options as catalogues write them, and what draws a value of each."""


def values(name: str, count: int, rng: random.Random) -> list[str]:
    """At most ``count`` different values of an option."""
    return list(dict.fromkeys(OPTIONS[name](rng) for _ in range(count)))


def _syllable(rng: random.Random) -> str:
    return rng.choice(_HEADS) + rng.choice(_VOWELS) + rng.choice(_TAILS)
