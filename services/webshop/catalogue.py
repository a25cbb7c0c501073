"""The products of a shop in the order of their file, whether held in memory or read from disk when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from services.webshop.product import Product, parse_product
from services.webshop.request import Request, parse_human_requests, parse_request


@dataclass(frozen=True, slots=True)
class Outline:
    """What prices and goals need to know of a product, which a large catalogue knows without reading it.

    ``pricing`` as in :class:`Product`; ``combinations`` is the number of ways to choose a value for every option;
    ``wanted`` are the attributes of its written request, none where there is no request.
    """

    category: str
    pricing: tuple[float, ...]
    combinations: int
    wanted: tuple[str, ...]


class Catalogue(Protocol):
    """Products by number, counted from 0 in catalogue order, and what was asked of them. No asin occurs twice."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Product]:
        """All products in order, in one pass."""
        ...

    def __getitem__(self, number: int) -> Product:
        """The product with this number."""
        ...

    def outlines(self) -> Iterator[Outline]:
        """The outlines of all products in order."""
        ...

    def number(self, asin: str) -> int | None:
        """The number of the product with this asin, None where there is none."""
        ...

    def request(self, number: int) -> Request | None:
        """The written request that the product fulfils, if any."""
        ...

    def human_requests(self, number: int) -> Sequence[Request]:
        """Requests by people that the product fulfils, in the order of their file."""
        ...

    def in_category(self, category: str) -> Sequence[int]:
        """Numbers of the products of a category, ascending."""
        ...

    def with_query(self, query: str) -> Sequence[int]:
        """Numbers of the products that were found by a query when the catalogue was collected, ascending."""
        ...


class Search(Protocol):
    """Full-text search over a catalogue."""

    def top(self, query: str, count: int = 50) -> list[int]:
        """Numbers of the products that match best, best first, ties by asin ascending."""
        ...


class ProductList:
    """A catalogue in memory."""

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        instructions: Mapping[str, Mapping[str, Any]],
        human: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> None:
        """Takes the contents of the three official files; of rows with one asin the first counts. Raises ``data_corrupt``."""
        self._products: list[Product] = []
        self._numbers: dict[str, int] = {}
        for row in rows:
            known = instructions.get(row["asin"], {})
            product = parse_product(row, known.get("attributes"))
            if product is not None and product.asin not in self._numbers:
                self._numbers[product.asin] = len(self._products)
                self._products.append(product)
        self._requests = [parse_request(instructions.get(product.asin)) for product in self._products]
        self._human = {
            number: parse_human_requests(human[product.asin])
            for number, product in enumerate(self._products)
            if product.asin in human
        }

    def __len__(self) -> int:
        return len(self._products)

    def __iter__(self) -> Iterator[Product]:
        return iter(self._products)

    def __getitem__(self, number: int) -> Product:
        """The product with this number."""
        return self._products[number]

    def outlines(self) -> Iterator[Outline]:
        """The outlines of all products in order."""
        for product, request in zip(self._products, self._requests, strict=True):
            combinations = prod(map(len, product.options.values()))
            yield Outline(product.category, product.pricing, combinations, request.attributes if request else ())

    def number(self, asin: str) -> int | None:
        """The number of the product with this asin, None where there is none."""
        return self._numbers.get(asin)

    def request(self, number: int) -> Request | None:
        """The written request that the product fulfils, if any."""
        return self._requests[number]

    def human_requests(self, number: int) -> Sequence[Request]:
        """Requests by people that the product fulfils, in the order of their file."""
        return self._human.get(number, ())

    def in_category(self, category: str) -> Sequence[int]:
        """Numbers of the products of a category, ascending."""
        return [number for number, product in enumerate(self._products) if product.category == category]

    def with_query(self, query: str) -> Sequence[int]:
        """Numbers of the products that were found by a query when the catalogue was collected, ascending."""
        return [number for number, product in enumerate(self._products) if product.query == query]
