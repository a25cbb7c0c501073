"""The products of a shop in the order of their file, whether held in memory or read from disk when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.webshop.product import Product


class Catalogue(Protocol):
    """Products by number, counted from 0 in catalogue order. No asin occurs twice."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Product:
        """The product with this number."""
        ...

    def number(self, asin: str) -> int | None:
        """The number of the product with this asin, None where there is none."""
        ...


class Search(Protocol):
    """Full-text search over a catalogue."""

    def top(self, query: str, count: int = 50) -> list[int]:
        """Numbers of the products that match best, best first, ties by asin ascending."""
        ...


class ProductList:
    """A catalogue in memory; of products with one asin the first counts."""

    def __init__(self, products: Sequence[Product]) -> None:
        """Takes ``products`` in the order of their file."""
        first = {product.asin: product for product in reversed(products)}
        self._products = [product for product in products if first[product.asin] is product]
        self._numbers = {product.asin: number for number, product in enumerate(self._products)}

    def __len__(self) -> int:
        return len(self._products)

    def __getitem__(self, number: int) -> Product:
        """The product with this number."""
        return self._products[number]

    def number(self, asin: str) -> int | None:
        """The number of the product with this asin, None where there is none."""
        return self._numbers.get(asin)
