"""What is wished for before an episode begins: goal, search, clicks and thoughts then follow from it, from the first step.

A scout who knows the shop draws a product, what is asked of it and the options, searches, and notes where the first
product that fits is listed; what is listed before that does not fit, so a shopper who says so tells the truth.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson

from services.webshop.goals import NO_LIMIT, draw_price_upper
from services.webshop.product import Product
from services.webshop.shop import PAGE, RESULTS
from services.webshop.world import World as Shop

_TRIES: Final = 20
_UNSTATED_LIMITS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Wish:
    """``kind`` is what products of its kind are called, ``core`` the same with what is asked of it; ``limit`` in dollars.

    ``attributes`` stand in ``core``; ``options`` are pairs of name and value; ``title`` is that of the product found for it.
    """

    kind: str
    core: str
    attributes: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    limit: float | None
    title: str = ""

    def to_text(self) -> str:
        """JSON, as plays keep it."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> Wish:
        """The opposite of :meth:`to_text`."""
        row: dict[str, Any] = orjson.loads(text)
        options = tuple((name, value) for name, value in row["options"])
        return cls(row["kind"], row["core"], tuple(row["attributes"]), options, row["limit"], row["title"])

    def fits(self, product: Product) -> bool:
        """Whether buying the product with the right options is all that is wished for."""
        return (
            product.query == self.kind
            and set(self.attributes) <= set(product.attributes)
            and all(value in product.options.get(name, ()) for name, value in self.options)
            and (self.limit is None or max(product.pricing) < self.limit)
        )

    @property
    def stated(self) -> str:
        """The core with its options, as the benchmark states them; without the price limit."""
        options = ", and ".join(f"{name}: {value}" for name, value in self.options)
        return f"{self.core} with {options}" if options else self.core


@dataclass(frozen=True, slots=True)
class Trip:
    """What a scout found: a search that lists the product ``asin`` on a page counted from 1, and products that do not fit.

    ``stray`` is a search for something asked that finds nothing that fits; empty where there is none.
    """

    wish: Wish
    query: str
    asin: str
    page: int
    unfit: frozenset[str]
    stray: str


def scout(shop: Shop, rng: random.Random) -> Trip | None:
    """A wish and the way to fulfil it; None where what was drawn is not found by its own words."""
    catalogue = shop.shop.catalogue

    def found(words: str) -> list[Product]:
        return [catalogue[number] for number in shop.shop.results(words)[:RESULTS]]

    for _ in range(_TRIES):
        wish = _wish(catalogue[rng.randrange(len(catalogue))], rng)
        query = _query(wish, rng)
        listed = found(query)
        place = next((place for place, product in enumerate(listed) if wish.fits(product)), None)
        if place is not None:
            unfit = frozenset(product.asin for product in listed if not wish.fits(product))
            stray = next((words for words in wish.attributes if not any(map(wish.fits, found(words)))), "")
            return Trip(replace(wish, title=listed[place].name), query, listed[place].asin, place // PAGE + 1, unfit, stray)
    return None


def _wish(product: Product, rng: random.Random) -> Wish:
    attributes = rng.sample(product.attributes, min(len(product.attributes), rng.choice((1, 2, 2, 3, 3, 4))))
    uses = [attribute for attribute in attributes if f"For {attribute}" in product.bullets][:1]
    rest = [attribute for attribute in attributes if attribute not in uses]
    looks = rest[: len(rest) // 2]
    core = f"{', '.join(looks)} {product.query}".strip()
    if features := rest[len(looks) :]:
        core += f" with {', '.join(features)}"
    if uses:
        core += f" for {uses[0]}"
    chosen = [(name, rng.choice(product.options[name])) for name in sorted(product.options) if rng.random() < 0.9]
    limit = NO_LIMIT if rng.random() < _UNSTATED_LIMITS else draw_price_upper(max(product.pricing), rng)
    return Wish(product.query, core, tuple(attributes), tuple(chosen), None if limit == NO_LIMIT else limit)


def _query(wish: Wish, rng: random.Random) -> str:
    """Words of the goal: all of them, those up to the options, or some."""
    values = [value for _, value in wish.options]
    some = rng.sample(wish.attributes, rng.randint(0, len(wish.attributes)))
    made = (wish.stated, wish.core, " ".join([wish.kind, *values]), " ".join([*some, wish.kind]), wish.kind)
    return rng.choices(made, (0.4, 0.25, 0.12, 0.15, 0.08))[0]
