"""Product numbers as single tokens: those of the shop that comes with restep, in play each given to any product.

To copy a number letter by letter comes late in training and fills pages with tokens. That a number exists is all that is
told by it: which product has it is drawn anew for every episode.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from services.webshop.library import EMBEDDED
from services.webshop.rows import read_pack
from trainer.play import PlayStep

_NUMBER: Final = re.compile(r"\bB0[0-9A-Z]{8}\b")


@cache
def product_numbers() -> Sequence[str]:
    """All numbers, in the order of the catalogue."""
    return [product["asin"] for product in read_pack(EMBEDDED).products]


def renumbered(steps: Sequence[PlayStep], rng: random.Random) -> tuple[PlayStep, ...]:
    """The steps with other numbers for the products in them, the same one for a product throughout."""
    texts = (text for step in steps for text in (step.action, step.observation, *(step.purpose or ())))
    old = list(dict.fromkeys(number for text in texts for number in _NUMBER.findall(text)))
    new = dict(zip(old, rng.sample(product_numbers(), len(old)), strict=True))

    def anew(text: str) -> str:
        return _NUMBER.sub(lambda found: new[found[0]], text)

    return tuple(
        PlayStep(anew(step.action), anew(step.observation), step.purpose and tuple(map(anew, step.purpose))) for step in steps
    )
