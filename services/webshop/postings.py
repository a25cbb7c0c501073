"""Which term is how often in which document: the inverted index, made of texts in one go.

A catalogue too large for that is inverted in parts, which :mod:`services.webshop.disk_postings` puts together.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.webshop.analysis import Analyzer
from services.webshop.bm25 import average_length, scales


@dataclass(frozen=True, slots=True)
class Part:
    """Documents numbered from 0 and their terms.

    ``terms`` are sorted; term ``i`` is in the documents ``documents[starts[i]:starts[i + 1]]``, ascending, as often as
    ``frequencies`` says at the same places. ``lengths`` are those of the documents, in terms.
    """

    terms: Sequence[str]
    starts: NDArray[np.int64]
    documents: NDArray[np.int32]
    frequencies: NDArray[np.int32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Postings:
    """What a search reads. As :class:`Part`, with the divisors of :func:`services.webshop.bm25.scales` for frequencies.

    ``ranks`` orders documents of equal score; ``filled`` is the number of documents with any term.
    """

    terms: Sequence[str]
    starts: NDArray[np.int64]
    documents: NDArray[np.int32]
    scales: NDArray[np.float32]
    ranks: NDArray[np.int32]
    filled: int


class Inverter:
    """Takes texts and inverts them."""

    def __init__(self) -> None:
        self._analyzer = Analyzer()
        self._clear()

    def _clear(self) -> None:
        self._ids: dict[str, int] = {}
        self._written = array("i")
        self._lengths = array("i")

    def __len__(self) -> int:
        """Terms taken."""
        return len(self._written)

    def add(self, text: str) -> None:
        """The text of the next document."""
        ids, written = self._ids, self._written
        before = len(written)
        for term in self._analyzer.terms(text):
            written.append(ids.setdefault(term, len(ids)))
        self._lengths.append(len(written) - before)

    def take(self) -> Part:
        """What was added since the last time."""
        terms = sorted(self._ids)
        lengths = np.array(self._lengths, np.int32)
        count = max(len(lengths), 1)
        narrow = np.int32 if len(terms) * count <= np.iinfo(np.int32).max else np.int64  # half the memory for small shops
        rows = np.empty(len(terms), narrow)
        rows[[self._ids[term] for term in terms]] = np.arange(len(terms))
        written = rows[np.frombuffer(self._written, np.int32)] * narrow(count)
        written += np.repeat(np.arange(len(lengths), dtype=narrow), lengths)
        keys, frequencies = np.unique(written, return_counts=True)
        starts = np.searchsorted(keys, np.arange(len(terms) + 1) * count)
        self._clear()
        return Part(terms, starts, (keys % count).astype(np.int32), frequencies.astype(np.int32), lengths)


def index(texts: Iterable[str], names: Sequence[str]) -> Postings:
    """The postings of ``texts``; documents of equal score are ordered by their ``names``."""
    inverter = Inverter()
    for text in texts:
        inverter.add(text)
    part = inverter.take()
    filled = int(np.count_nonzero(part.lengths))
    average = average_length(int(part.lengths.sum(dtype=np.int64)), filled)
    divisors = scales(part.frequencies, part.lengths[part.documents], average)
    return Postings(part.terms, part.starts, part.documents, divisors, ranks(names), filled)


def ranks(names: Sequence[str]) -> NDArray[np.int32]:
    """The place of each name among all, sorted."""
    places = np.empty(len(names), np.int32)
    places[np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)] = np.arange(len(names), dtype=np.int32)
    return places
