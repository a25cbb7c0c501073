"""What is known of every product of a large catalogue without reading it, as columns: places in files, prices, codes.

Columns of millions of numbers are a few bytes a product where objects would be hundreds.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan, nan, prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from services.webshop.catalogue import Outline
from services.webshop.disk_postings import mapped
from services.webshop.product import Product
from services.webshop.request import Request

_WORDS: Final = "words.json"
_AT_ONCE: Final = 1 << 16


class Names:
    """Finds the number of a name; of equal names the last counts."""

    def __init__(self, sorted_names: NDArray[np.bytes_], numbers: NDArray[np.int32]) -> None:
        """``numbers`` are those of the names at the same places."""
        self.sorted = sorted_names
        self.numbers = numbers

    @classmethod
    def of(cls, names: Sequence[str]) -> Names:
        """Numbers are places in ``names``."""
        written = np.array([name.encode() for name in names], np.bytes_)
        numbers = np.argsort(written, kind="stable").astype(np.int32)
        return cls(written[numbers], numbers)

    def number(self, name: str) -> int | None:
        """The number of ``name``, None where it is not there."""
        sought = name.encode(errors="replace")
        place = int(np.searchsorted(self.sorted, np.bytes_(sought), side="right")) - 1
        return int(self.numbers[place]) if place >= 0 and self.sorted[place] == sought else None


@dataclass(slots=True)
class Codes:
    """A column of words that repeat: numbers into a list of the different ones."""

    words: dict[str, int] = field(default_factory=dict[str, int])
    column: array[int] = field(default_factory=lambda: array("i"))

    def add(self, word: str) -> None:
        """The next word."""
        self.column.append(self.words.setdefault(word, len(self.words)))


class ColumnsWriter:
    """Takes products in order; at the end writes what :class:`Columns` reads."""

    def __init__(self) -> None:
        self.asins: dict[str, None] = {}
        self._rows = array("q")
        self._instructions = array("q")
        self._prices = array("d")
        self._combinations = array("q")
        self._categories = Codes()
        self._queries = Codes()
        self._wanted = Codes()
        self._wanted_ends = array("q", [0])

    def add(self, product: Product, row: tuple[int, int], instruction: tuple[int, int], request: Request | None) -> None:
        """``row`` and ``instruction`` are where their files have them: first byte and the byte behind the last."""
        self.asins[product.asin] = None
        self._rows.extend(row)
        self._instructions.extend(instruction)
        low, *high = product.pricing
        self._prices.extend((low, *high) if high else (low, nan))
        self._combinations.append(prod(map(len, product.options.values())))
        self._categories.add(product.category)
        self._queries.add(product.query)
        for attribute in request.attributes if request else ():  # a request has at least one
            self._wanted.add(attribute)
        self._wanted_ends.append(len(self._wanted.column))

    def write(self, folder: Path) -> None:
        """Write all columns there. Raises ``OSError``."""
        names = Names.of(list(self.asins))
        ranks = np.empty(len(names.numbers), np.int32)
        ranks[names.numbers] = np.arange(len(ranks), dtype=np.int32)
        columns: dict[str, Any] = {
            "asins": names.sorted,
            "numbers": names.numbers,
            "ranks": ranks,
            "rows": np.array(self._rows, np.int64).reshape(-1, 2),
            "instructions": np.array(self._instructions, np.int64).reshape(-1, 2),
            "prices": np.array(self._prices, np.float64).reshape(-1, 2),
            "combinations": np.array(self._combinations, np.int64),
            "categories": np.array(self._categories.column, np.int32),
            "queries": np.array(self._queries.column, np.int32),
            "wanted": np.array(self._wanted.column, np.int32),
            "wanted_ends": np.array(self._wanted_ends, np.int64),
        }
        for name, column in columns.items():
            np.save(folder / f"{name}.npy", column)
        words = {"categories": self._categories, "queries": self._queries, "wanted": self._wanted}
        (folder / _WORDS).write_bytes(orjson.dumps({name: list(codes.words) for name, codes in words.items()}))


class Columns:
    """Reads what a :class:`ColumnsWriter` wrote, through the page cache.

    ``ranks`` are the places of all products by asin.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ``OSError``, ``ValueError``."""
        columns = {path.stem: mapped(path) for path in folder.glob("*.npy")}
        self._columns = columns
        self.ranks: NDArray[np.int32] = columns["ranks"]
        self._names = Names(columns["asins"], columns["numbers"])
        self._words: dict[str, list[str]] = orjson.loads((folder / _WORDS).read_bytes())

    def __len__(self) -> int:
        return len(self.ranks)

    def number(self, asin: str) -> int | None:
        """The number of a product, None where there is none."""
        return self._names.number(asin)

    def asin(self, number: int) -> str:
        """The asin of a product."""
        return bytes(self._names.sorted[int(self.ranks[number])]).decode()

    def row(self, number: int) -> tuple[int, int]:
        """Where the file of products has it."""
        begin, end = self._columns["rows"][number].tolist()
        return begin, end

    def instruction(self, number: int) -> tuple[int, int]:
        """Where the file of instructions has it; an empty place where that does not know the product."""
        begin, end = self._columns["instructions"][number].tolist()
        return begin, end

    def coded(self, column: str, word: str) -> list[int]:
        """Numbers of the products that have ``word`` in a column of codes, ascending."""
        words = self._words[column]
        return np.flatnonzero(self._columns[column] == words.index(word)).tolist() if word in words else []

    def outlines(self) -> Iterator[Outline]:
        """The outline of every product in order, a microsecond each."""
        columns, categories, attributes = self._columns, self._words["categories"], self._words["wanted"]
        for begin in range(0, len(self), _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            ends = columns["wanted_ends"][begin : begin + _AT_ONCE + 1]
            codes: list[int] = columns["wanted"][ends[0] : ends[-1]].tolist()
            wanted = [attributes[code] for code in codes]
            places: list[int] = (ends - ends[0]).tolist()
            kinds: list[int] = columns["categories"][some].tolist()
            prices: list[tuple[float, float]] = columns["prices"][some].tolist()
            sizes: list[int] = columns["combinations"][some].tolist()
            rows = zip(kinds, prices, sizes, places[:-1], places[1:], strict=True)
            for category, (low, high), combinations, first, end in rows:
                pricing = (low,) if isnan(high) else (low, high)
                yield Outline(categories[category], pricing, combinations, tuple(wanted[first:end]))
