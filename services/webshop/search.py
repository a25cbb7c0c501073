"""Full-text search over postings: the documents that Anserini's ``SimpleSearcher`` on Lucene 8.11 finds, in its order."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.webshop.analysis import Analyzer
from services.webshop.bm25 import scores, weight
from services.webshop.catalogue import Catalogue
from services.webshop.postings import Postings, index

_KEPT: Final = 1 << 13
_RARE: Final = 1 << 10
"""Terms in at most so many documents are worth keeping: the work on others is not in finding them."""
_Match = tuple[NDArray[np.intp], NDArray[np.float32]]
_NOTHING: Final[_Match] = np.empty(0, np.intp), np.empty(0, np.float32)


class TextSearch:
    """Implements :class:`services.webshop.catalogue.Search`."""

    def __init__(self, postings: Postings) -> None:
        self._postings = postings
        self._analyzer = Analyzer()
        self._kept: dict[tuple[str, int], _Match] = {}

    @classmethod
    def over(cls, catalogue: Catalogue) -> TextSearch:
        """An index of all products, made in memory: about a second for a thousand."""
        products = [catalogue[number] for number in range(len(catalogue))]
        return cls(index((product.text for product in products), [product.asin for product in products]))

    def top(self, query: str, count: int = 50) -> list[int]:
        """At most ``count`` numbers of products with any term of ``query``, best first, ties by asin ascending."""
        matches = [self._match(term, repeats) for term, repeats in Counter(self._analyzer.terms(query)).items()]
        if not matches:
            return []
        documents, added = zip(*matches, strict=True)
        ranks = self._postings.ranks
        totals = np.bincount(np.concatenate(documents), np.concatenate(added), len(ranks))
        hits = (totals > 0).nonzero()[0]
        found = totals[hits].astype(np.float32)
        if len(hits) > count:
            best = (found >= np.partition(found, -count)[-count]).nonzero()[0]
            hits, found = hits[best], found[best]
        return hits[np.lexsort((ranks[hits], -found))][:count].tolist()

    def _match(self, term: str, repeats: int) -> _Match:
        """Documents with a term, and what it adds to their scores. Those of rare terms are kept."""
        if (known := self._kept.get((term, repeats))) is not None:
            return known
        postings, row = self._postings, bisect_left(self._postings.terms, term)
        if row == len(postings.terms) or postings.terms[row] != term:
            return _NOTHING
        begin, end = int(postings.starts[row]), int(postings.starts[row + 1])
        weighed = weight(postings.filled, end - begin, repeats)
        match = postings.documents[begin:end].astype(np.intp), scores(weighed, postings.scales[begin:end])
        if end - begin <= _RARE:
            if len(self._kept) == _KEPT:
                self._kept.clear()
            self._kept[term, repeats] = match
        return match
