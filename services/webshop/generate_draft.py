"""A generated product before it is put in words: what it is, what it can do, what may be chosen, what it costs."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.webshop.generate_kinds import Kind

_SINGLE_PRICE: Final = 0.87
_NO_CHOICE: Final = 0.15
"""Share of option groups that a product of the kind lacks; a group of one value is none."""
_MOST_VALUES: Final = 4
_ENDINGS: Final = (0.99, 0.99, 0.49, 0.95, 0.0)


@dataclass(frozen=True, slots=True)
class Draft:
    """``looks``, ``features`` and ``uses`` are all that is so about it; ``pricing`` is one price, or two from low to high."""

    kind: Kind
    brand: str
    material: str
    noun: str
    looks: tuple[str, ...]
    features: tuple[str, ...]
    uses: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    pricing: tuple[float, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """Looks, features and uses."""
        return self.looks + self.features + self.uses


def draw(kind: Kind, dice: random.Random) -> Draft:
    """A product of ``kind``."""
    return Draft(
        kind=kind,
        brand=dice.choice(kind.brands),
        material=dice.choice(kind.materials),
        noun=dice.choice(kind.nouns),
        looks=_some(kind.looks, 1, 3, dice),
        features=_some(kind.features, 1, 2, dice),
        uses=_some(kind.uses, 1, 2, dice),
        options={name: _in_order(values, dice) for name, values in kind.options.items() if dice.random() >= _NO_CHOICE},
        pricing=_pricing(kind, dice),
    )


def _some(pool: Sequence[str], least: int, most: int, dice: random.Random) -> tuple[str, ...]:
    return tuple(dice.sample(pool, dice.randint(least, most)))


def _in_order(values: Sequence[str], dice: random.Random) -> tuple[str, ...]:
    """A few values in the order of the pool: sizes stay sorted."""
    chosen = set(_some(values, 2, min(len(values), _MOST_VALUES), dice))
    return tuple(value for value in values if value in chosen)


def _pricing(kind: Kind, dice: random.Random) -> tuple[float, ...]:
    low, high = kind.price
    price = int(dice.uniform(low, high)) + dice.choice(_ENDINGS)
    if dice.random() < _SINGLE_PRICE:
        return (price,)
    return (price, price + 1 + int(dice.uniform(0.1, 0.5) * price))
