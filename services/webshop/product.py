"""A product of the shop: one row of the official catalogue, cleaned as WebShop's ``load_products`` cleans it.

What is not read later (images, ratings, the model number) is left behind, since the full catalogue has 1.18 million rows;
texts that many products share are kept once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, Final

from shared.errors import RestepError

NO_ATTRIBUTES: Final = ("DUMMY_ATTR",)
"""What the benchmark gives a product that its instruction file does not know."""

_UNPRICED: Final = 100.0
_LONGEST_ASIN: Final = 10
_NOT_NUMERIC: Final = re.compile(r"[^\d.]")


@dataclass(frozen=True, slots=True)
class Product:
    """``pricing`` is one price or a low and a high one, in dollars; ``price_text`` as pages show it.

    ``options`` maps a name to its values, in the order of the file and with its duplicates.
    """

    asin: str
    category: str
    query: str
    product_category: str
    name: str
    description: str
    bullets: tuple[str, ...]
    pricing: tuple[float, ...]
    price_text: str
    options: Mapping[str, tuple[str, ...]]
    attributes: tuple[str, ...]

    def __hash__(self) -> int:
        return hash(self.asin)

    @property
    def text(self) -> str:
        """What the search index reads: title, description, first bullet and options, in lower case."""
        options = ", and ".join(f"{name}: {', '.join(values)}" for name, values in self.options.items())
        first = self.bullets[0] if self.bullets else ""
        return " ".join((self.name, self.description, first, options)).lower()


def parse_product(row: Mapping[str, Any], attributes: Sequence[str] | None) -> Product | None:
    """The product of one row of ``items_shuffle*.json``; None where the benchmark leaves it out.

    ``attributes`` are those of ``items_ins_v2*.json``, None where that file does not have the product.
    Raises ``data_corrupt``.
    """
    try:
        asin: str = row["asin"]
        if asin == "nan" or len(asin) > _LONGEST_ASIN:
            return None
        bullets: Any = row["small_description"]
        pricing, price_text = _prices(row.get("pricing"))
        return Product(
            asin=asin,
            category=intern(row["category"]),
            query=intern(row["query"].lower().strip()),
            product_category=intern(row["product_category"]),
            name=row["name"],
            description=row["full_description"],
            bullets=tuple(bullets) if isinstance(bullets, list) else (bullets,),  # pyright: ignore[reportUnknownArgumentType]
            pricing=pricing,
            price_text=price_text,
            options=_options(row["customization_options"]),
            attributes=NO_ATTRIBUTES if attributes is None else tuple(map(intern, attributes)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RestepError("data_corrupt", f"product {row.get('asin')}: {type(error).__name__}: {error}") from error


def _prices(written: str | None) -> tuple[tuple[float, ...], str]:
    """``$5.00 - $7.00`` as numbers and as pages write it."""
    if not written:
        return (_UNPRICED,), f"${_UNPRICED}"
    prices = tuple(float(_NOT_NUMERIC.sub("", part)) for part in written.split("$")[1:3])
    if not prices:
        raise ValueError(f"no price in {written!r}")
    return prices, " to ".join(f"${price}" for price in prices)


def _options(customization: Mapping[str, Sequence[Mapping[str, str]] | None] | None) -> dict[str, tuple[str, ...]]:
    return {
        intern(name.lower()): tuple(intern(content["value"].strip().replace("/", " | ").lower()) for content in contents)
        for name, contents in (customization or {}).items()
        if contents is not None
    }
