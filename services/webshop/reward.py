"""What a purchase is worth, by the rules of WebShop's ``web_agent_site/engine/goal.py`` (arXiv 2207.01206, section 3).

The reward is ``r_type * (attribute hits + option hits + price hit) / (attributes + options + 1)``. Some rules are
surprising and kept: a shared noun outweighs query and category, an option is matched by name and value together, and it
may be matched by any value that was chosen, whatever that was chosen for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

from rapidfuzz.fuzz import token_set_ratio

from services.webshop.colours import COLOURS, plain_colour
from services.webshop.goals import Goal
from services.webshop.nouns import Nouns
from services.webshop.product import Product

_SIMILAR: Final = 85.5
"""The benchmark rounds a likeness to a whole number and takes what is over 85."""
_CATEGORY_SEPARATOR: Final = "\u203a"
_LATIN_1: Final = dict.fromkeys(range(128, 256))
_NOT_A_WORD: Final = re.compile(r"\W")
_VALUES: Final = 1 << 12
_PRODUCTS: Final = 256
_FINDINGS: Final = 1 << 13


@dataclass(frozen=True, slots=True)
class Reward:
    """``total`` in 0..1 and its parts, named as the benchmark names them; options are None where the goal has none.

    ``r_att`` and ``r_option`` are shares of what was wanted, ``r_price`` is the price limit kept; ``w_`` their weights.
    """

    total: float
    r_type: float
    r_att: float
    w_att: float
    query_match: bool
    category_match: bool
    title_score: float
    r_option: float | None
    w_option: float | None
    r_price: bool
    w_price: float


class Scorer:
    """Rewards purchases. Keeps what it made of the last texts, because goals and products repeat them."""

    def __init__(self, nouns: Nouns, colours: Sequence[str] = COLOURS) -> None:
        self._nouns = nouns
        self._plain = lru_cache(_VALUES)(plain)
        self._similar = lru_cache(_FINDINGS)(similar)
        self._plain_colour = lru_cache(_VALUES)(partial(plain_colour, colours=tuple(colours)))
        self._categories = lru_cache(_PRODUCTS)(_categories)
        self._read = lru_cache(_PRODUCTS)(self._reading)
        self._has = lru_cache(_FINDINGS)(self._look_for)

    def reward(self, goal: Goal, target: Product, bought: Product, price: float, options: Sequence[str]) -> Reward:
        """The reward of ``bought`` at ``price`` with the values ``options``; ``target`` is the product of ``goal``."""
        wanted = len(goal.attributes) + len(goal.options) + 1
        r_type, query_match, category_match, title_score = self._type(target, bought)
        attributes = sum(self.has_attribute(bought, attribute) for attribute in goal.attributes)
        hits = self._option_hits(goal, options)
        in_limit = price <= goal.price_upper
        return Reward(
            total=(attributes + hits + in_limit) / wanted * r_type,
            r_type=r_type,
            r_att=attributes / len(goal.attributes),
            w_att=len(goal.attributes) / wanted,
            query_match=query_match,
            category_match=category_match,
            title_score=title_score,
            r_option=hits / len(goal.options) if goal.options else None,
            w_option=len(goal.options) / wanted if goal.options else None,
            r_price=in_limit,
            w_price=1 / wanted,
        )

    def has_attribute(self, bought: Product, attribute: str) -> bool:
        """A product has a wanted attribute: in its list of attributes, roughly, or word for word in its texts."""
        return self._has(bought, attribute)

    def _look_for(self, bought: Product, attribute: str) -> bool:
        listed, texts = self._read(bought)
        wanted = self._plain(attribute)
        return (
            (wanted != "" and wanted in listed)
            or any(self._similar(own, wanted) for own in listed)
            or any(attribute in text for text in texts)
        )

    def _reading(self, product: Product) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is looked through for attributes: those it has, and its texts in lower case."""
        texts = (product.name.lower(), " ".join(product.bullets).lower(), product.description.lower())
        return tuple(map(self._plain, product.attributes)), texts

    def is_option(self, wanted: str | tuple[str, str], chosen: str) -> bool:
        """A chosen value counts as a wanted option."""
        return self._similar(self._plain(str(self._plain_colour(chosen))), self._plain(str(self._plain_colour(wanted))))

    def _option_hits(self, goal: Goal, options: Sequence[str]) -> int:
        return sum(any(self.is_option(wanted, chosen) for chosen in options) for wanted in goal.options)

    def _type(self, target: Product, bought: Product) -> tuple[float, bool, bool, float]:
        query_match = bought.query == target.query
        category_match = len(self._categories(bought.product_category) & self._categories(target.product_category)) >= 2
        wanted = self._nouns.of(target)
        title_score = len(set(self._nouns.of(bought)) & set(wanted)) / len(wanted) if wanted else 0.2
        if title_score == 0.0:
            return 0.0, query_match, category_match, title_score
        if title_score < 0.1:
            return 0.1, query_match, category_match, title_score
        same = query_match or category_match or title_score > 0.2
        return (1.0 if same else 0.5), query_match, category_match, title_score


def similar(one: str, other: str) -> bool:
    """Two :func:`plain` texts are alike by their sets of words (thefuzz 0.19: ``fuzz.token_set_ratio(...) > 85``)."""
    return token_set_ratio(one, other, score_cutoff=_SIMILAR) >= _SIMILAR


def plain(text: str) -> str:
    """Words in lower case, blanks between them, without Latin-1's letters beyond ASCII."""
    return _NOT_A_WORD.sub(" ", text.translate(_LATIN_1)).lower().strip()


def _categories(path: str) -> frozenset[str]:
    return frozenset(part.strip() for part in path.split(_CATEGORY_SEPARATOR))
