"""The full catalogue: 1.18 million products that stay in their files, found by an index that is made once.

Only what is looked at is read. The index lies in the user's cache (``RESTEP_CACHE``), since data folders are often
read-only, and is made again when a file's size or time changes; see :mod:`services.webshop.disk_index`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from services.webshop.catalogue import Outline
from services.webshop.disk_columns import Columns
from services.webshop.disk_index import POSTINGS, Sources, current_index
from services.webshop.disk_postings import read_postings
from services.webshop.json_members import Slices
from services.webshop.product import Product, parse_product
from services.webshop.request import Request, parse_human_requests, parse_request
from services.webshop.search import TextSearch
from shared.dataset import Say
from shared.errors import RestepError

_KEPT: Final = 2048
"""Products kept after reading, some kB each."""


class DiskCatalogue:
    """Implements :class:`services.webshop.catalogue.Catalogue` on disk, with the search over it.

    ``digest`` is a SHA-256 of the files, in hex.
    """

    def __init__(self, sources: Sources, index: Path, digest: str) -> None:
        """``index`` is a folder that was made for ``sources``. Raises ``data_not_found``, ``data_corrupt``."""
        self.digest = digest
        self._rows = Slices(sources.products)
        self._instructions = Slices(sources.instructions)
        try:
            self._columns = Columns(index)
            self.search = TextSearch(read_postings(index / POSTINGS, self._columns.ranks))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise RestepError("data_corrupt", f"{index}: {error}; remove it and it will be made again") from None
        self._human = self._read_human(sources.human)
        self._product = lru_cache(_KEPT)(self._read)

    @classmethod
    def open(cls, sources: Sources, cache: Path, say: Say, *, renew: bool = False) -> DiskCatalogue:
        """With the index kept in ``cache``, made there if need be, which takes minutes: ``say`` is told.

        Raises ``data_not_found``, ``data_corrupt``, ``data_not_written``.
        """
        index, digest = current_index(sources, cache, say, renew=renew)
        return cls(sources, index, digest)

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[Product]:
        return (self._read(number) for number in range(len(self)))

    def __getitem__(self, number: int) -> Product:
        """The product with this number, read unless it was lately. Raises ``data_corrupt``."""
        return self._product(number)

    def outlines(self) -> Iterator[Outline]:
        """The outlines of all products in order."""
        return self._columns.outlines()

    def number(self, asin: str) -> int | None:
        """The number of the product with this asin, None where there is none."""
        return self._columns.number(asin)

    def request(self, number: int) -> Request | None:
        """The written request that the product fulfils, if any. Raises ``data_corrupt``."""
        return parse_request(self._instruction(number))

    def human_requests(self, number: int) -> Sequence[Request]:
        """Requests by people that the product fulfils, in the order of their file."""
        return self._human.get(number, ())

    def in_category(self, category: str) -> Sequence[int]:
        """Numbers of the products of a category, ascending."""
        return self._columns.coded("categories", category)

    def with_query(self, query: str) -> Sequence[int]:
        """Numbers of the products that were found by a query when the catalogue was collected, ascending."""
        return self._columns.coded("queries", query)

    def _instruction(self, number: int) -> dict[str, Any]:
        begin, end = self._columns.instruction(number)
        return self._instructions.read(begin, end) if end else {}

    def _read(self, number: int) -> Product:
        row = self._rows.read(*self._columns.row(number))
        product = parse_product(row, self._instruction(number).get("attributes"))
        if product is None or product.asin != self._columns.asin(number):
            raise RestepError("data_corrupt", f"{self._rows.path}: it changed since it was indexed; start anew")
        return product

    def _read_human(self, path: Path | None) -> dict[int, tuple[Request, ...]]:
        if path is None:
            return {}
        try:
            written: dict[str, Any] = orjson.loads(path.read_bytes())
        except OSError as error:
            raise RestepError("data_not_found", f"{path}: {error.strerror or error}") from None
        except orjson.JSONDecodeError as error:
            raise RestepError("data_corrupt", f"{path}: {error}") from None
        numbers = ((self.number(asin), rows) for asin, rows in written.items())
        return {number: parse_human_requests(rows) for number, rows in numbers if number is not None}
