"""What a shopper is to buy: one goal per task, made from requests as WebShop's ``web_agent_site/engine/goal.py`` makes them.

The draws are those of a process that calls ``random.seed(233)``, loads the catalogue, makes the goals, seeds again and
shuffles; here with a generator of our own, so that an index means the same goal in every process. Goals are computed
when asked for: the full catalogue has millions, which as objects would fill the memory.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from services.webshop.catalogue import Catalogue
from services.webshop.product import Product
from services.webshop.request import Request

SEED: Final = 233
NO_LIMIT: Final = 1_000_000.0
"""The price limit of a goal that states none."""

_STEPS: Final = tuple(10.0 * step for step in range(1, 100))
_CHOICES: Final = 4

Options = tuple[str | tuple[str, str], ...]
"""Wanted options: pairs of name and value, or values alone as a person wrote them."""


@dataclass(frozen=True, slots=True)
class Goal:
    """``text`` is what the shopper is told; ``product`` is the number of the product that the goal was made from.

    ``price_upper`` is in dollars; ``weight`` is how often the benchmark draws the goal where none is chosen.
    """

    product: int
    text: str
    attributes: tuple[str, ...]
    options: Options
    price_upper: float
    weight: float


@dataclass(slots=True)
class _Requests:
    """Requests in catalogue order, as columns: of which product, the how manieth of it, and how many goals it makes."""

    products: array[int] = field(default_factory=lambda: array("L"))
    ordinals: array[int] = field(default_factory=lambda: array("H"))
    sizes: array[int] = field(default_factory=lambda: array("L"))
    categories: list[str] = field(default_factory=list[str])
    attributes: Counter[str] = field(default_factory=Counter[str])

    def add(self, number: int, category: str, attributes: Sequence[str], size: int, ordinal: int = 0) -> None:
        self.products.append(number)
        self.ordinals.append(ordinal)
        self.sizes.append(size)
        self.categories.append(category)
        for attribute in attributes:
            self.attributes[attribute] += size


class Goals:
    """Goals in the benchmark's order, counted from 0. ``human`` ones are made from what people wrote."""

    def __init__(
        self, catalogue: Catalogue, requests: _Requests, prices: array[float], rng: random.Random, *, human: bool
    ) -> None:
        self.human = human
        self._catalogue = catalogue
        self._requests = requests
        self._limits = array("d", (draw_price_upper(prices[number], rng) for number in requests.products))
        self._ends = array("Q", accumulate(requests.sizes))
        self._order = array("L", range(sum(requests.sizes)))
        random.Random(SEED).shuffle(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Goal]:
        return (self[index] for index in range(len(self)))

    def categories(self) -> set[str]:
        """The categories of all products that goals were made from."""
        return set(self._requests.categories)

    def category(self, index: int) -> str:
        """The category of the product that the goal was made from."""
        return self._requests.categories[bisect_right(self._ends, self._order[index])]

    def __getitem__(self, index: int) -> Goal:
        """The goal with this index, computed in some microseconds."""
        place = self._order[index]
        entry = bisect_right(self._ends, place)
        number, limit = self._requests.products[entry], self._limits[entry]
        price = "" if limit == NO_LIMIT else f", and price lower than {limit:.2f} dollars"
        if self.human:
            request = self._catalogue.human_requests(number)[self._requests.ordinals[entry]]
            return Goal(number, request.text + price, request.attributes, request.options, limit, 1.0)
        request = self._catalogue.request(number)
        assert request is not None
        options = _combination(self._catalogue[number], place - (self._ends[entry] - self._requests.sizes[entry]))
        wanted = f" with {', and '.join(f'{name}: {value}' for name, value in options)}" if options else ""
        return Goal(number, request.text + wanted + price, request.attributes, options, limit, self._weight(request))

    def _weight(self, request: Request) -> float:
        counts = self._requests.attributes
        return sum(1.0 / counts[attribute] for attribute in request.attributes) / len(request.attributes)


def make_goals(catalogue: Catalogue) -> tuple[array[float], Goals, Goals]:
    """What each product costs, in dollars, the synthetic goals and the human ones. One pass over ``catalogue``."""
    rng = random.Random(SEED)
    prices, synthetic, human = array("d"), _Requests(), _Requests()
    for number, outline in enumerate(catalogue.outlines()):
        prices.append(_draw_price(outline.pricing, rng))
        if outline.wanted:
            synthetic.add(number, outline.category, outline.wanted, outline.combinations)
        for ordinal, request in enumerate(catalogue.human_requests(number)):
            human.add(number, outline.category, request.attributes, 1, ordinal)
    state = rng.getstate()
    made: list[Goals] = []
    for requests in (synthetic, human):  # two runs of the benchmark: in each the limits are drawn right after the prices
        rng.setstate(state)
        made.append(Goals(catalogue, requests, prices, rng, human=requests is human))
    return prices, made[0], made[1]


def draw_price_upper(price: float, rng: random.Random) -> float:
    """A price limit above ``price``, or :data:`NO_LIMIT` where none can be drawn. In dollars."""
    choices = [step for step in _STEPS if step > price][:_CHOICES]
    return max(rng.sample(choices, 2)) if len(choices) >= 2 else NO_LIMIT


def _draw_price(pricing: tuple[float, ...], rng: random.Random) -> float:
    return pricing[0] if len(pricing) == 1 else rng.uniform(*pricing)


def _combination(product: Product, place: int) -> tuple[tuple[str, str], ...]:
    """The ``place``-th choice of a value for every option, names ascending and the last one turning fastest."""
    chosen: list[tuple[str, str]] = []
    for name in sorted(product.options, reverse=True):
        values = product.options[name]
        place, turn = divmod(place, len(values))
        chosen.append((name, values[turn]))
    return tuple(reversed(chosen))
