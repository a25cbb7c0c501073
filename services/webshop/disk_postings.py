"""Postings on disk: parts written one after the other, merged into one index, read through the page cache.

No step holds more than one part and a few numbers a term, so a catalogue of millions can be indexed on a small machine;
and serving it takes the memory of the terms that are searched for.
"""

from __future__ import annotations

import heapq
import mmap
import shutil
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from services.webshop.bm25 import average_length, scales
from services.webshop.postings import Part, Postings

_TERMS: Final = "terms.txt"
_TERM_STARTS: Final = "term_starts.npy"
_STARTS: Final = "starts.npy"
_DOCUMENTS: Final = "documents.npy"
_SCALES: Final = "scales.npy"
_FREQUENCIES: Final = "frequencies.npy"
_FILLED: Final = "filled.npy"


class WrittenTerms(Sequence[str]):
    """Sorted terms, one a line in a file; found by where each begins."""

    def __init__(self, path: Path, starts: NDArray[np.int64]) -> None:
        """``starts`` are the byte offsets of the lines, and the file's size behind them."""
        self._starts = starts
        with path.open("rb") as file:
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if len(starts) > 1 else b""

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self._content[int(self._starts[row]) : int(self._starts[row + 1]) - 1].decode()


class PostingsWriter:
    """Takes parts in the order of their documents; at the end writes what :func:`read_postings` reads."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made. Raises ``OSError``."""
        folder.mkdir()
        self._folder = folder
        self._firsts = [0]
        self._lengths = [np.empty(0, np.int32)]

    def add(self, part: Part) -> None:
        """Write the next part down. Raises ``OSError``."""
        folder = self._part(len(self._firsts) - 1)
        folder.mkdir()
        (folder / _TERMS).write_bytes("".join(f"{term}\n" for term in part.terms).encode())
        for name, column in ((_STARTS, part.starts), (_DOCUMENTS, part.documents), (_FREQUENCIES, part.frequencies)):
            np.save(folder / name, column)
        self._firsts.append(self._firsts[-1] + len(part.lengths))
        self._lengths.append(part.lengths)

    def finish(self) -> None:
        """Merge the parts and remove them. Raises ``OSError``."""
        rows = self._merge_terms()
        lengths = np.concatenate(self._lengths)
        filled = int(np.count_nonzero(lengths))
        average = average_length(int(lengths.sum(dtype=np.int64)), filled)
        counts = np.zeros(len(np.load(self._folder / _TERM_STARTS)) - 1, np.int64)
        for number, places in enumerate(rows):
            counts[places] += np.diff(np.load(self._part(number) / _STARTS))
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
        np.save(self._folder / _STARTS, starts)
        np.save(self._folder / _FILLED, np.int64(filled))
        documents = _writable(self._folder / _DOCUMENTS, np.int32, int(starts[-1]))
        divisors = _writable(self._folder / _SCALES, np.float32, int(starts[-1]))
        free = starts[:-1].copy()
        for number, places in enumerate(rows):
            folder = self._part(number)
            begins = np.load(folder / _STARTS)
            added = np.diff(begins)
            targets = np.repeat(free[places] - begins[:-1], added) + np.arange(int(begins[-1]))
            found = np.load(folder / _DOCUMENTS) + np.int32(self._firsts[number])
            documents[targets] = found
            divisors[targets] = scales(np.load(folder / _FREQUENCIES), lengths[found], average)
            free[places] += added
            shutil.rmtree(folder)

    def _merge_terms(self) -> list[NDArray[np.int64]]:
        """Write all terms; give for each part the rows that its terms have among them."""
        count = len(self._firsts) - 1
        rows = [array("q") for _ in range(count)]
        starts = array("q", [0])
        last = b""
        with (self._folder / _TERMS).open("wb") as file:
            for term, number in heapq.merge(*(_lines(self._part(number) / _TERMS, number) for number in range(count))):
                if term != last:
                    file.write(term)
                    starts.append(starts[-1] + len(term))
                    last = term
                rows[number].append(len(starts) - 2)
        np.save(self._folder / _TERM_STARTS, np.array(starts, np.int64))
        return [np.array(places, np.int64) for places in rows]

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number}"


def read_postings(folder: Path, ranks: NDArray[np.int32]) -> Postings:
    """What a :class:`PostingsWriter` wrote there. Raises ``OSError``, ``ValueError``."""
    return Postings(
        terms=WrittenTerms(folder / _TERMS, mapped(folder / _TERM_STARTS)),
        starts=mapped(folder / _STARTS),
        documents=mapped(folder / _DOCUMENTS),
        scales=mapped(folder / _SCALES),
        ranks=ranks,
        filled=int(np.load(folder / _FILLED)),
    )


def mapped(path: Path) -> NDArray[Any]:
    """An array in a file, without reading it. Raises ``OSError``, ``ValueError``."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _writable(path: Path, kind: type[np.generic], size: int) -> NDArray[Any]:
    return open_memmap(path, "w+", kind, (max(size, 1),))  # nothing cannot be mapped


def _lines(path: Path, number: int) -> Iterator[tuple[bytes, int]]:
    """A file's lines with the number of its part. No term has a byte as low as that which ends a line: lines sort as terms."""
    with path.open("rb") as file:
        for line in file:
            yield line, number
