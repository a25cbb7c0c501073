"""Full-text search over postings: the documents that Anserini's ``SimpleSearcher`` on Lucene 8.11 finds, in its order."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

import numpy as np

from services.webshop.analysis import Analyzer
from services.webshop.bm25 import scores, weight
from services.webshop.catalogue import Catalogue
from services.webshop.postings import Postings, index

_KEPT: Final = 1 << 16


class TextSearch:
    """Implements :class:`services.webshop.catalogue.Search`."""

    def __init__(self, postings: Postings) -> None:
        self._postings = postings
        self._analyzer = Analyzer()
        self._places: dict[str, tuple[int, int]] = {}

    @classmethod
    def over(cls, catalogue: Catalogue) -> TextSearch:
        """An index of all products, made in memory: about a second for a thousand."""
        products = [catalogue[number] for number in range(len(catalogue))]
        return cls(index((product.text for product in products), [product.asin for product in products]))

    def top(self, query: str, count: int = 50) -> list[int]:
        """At most ``count`` numbers of products with any term of ``query``, best first, ties by asin ascending."""
        postings = self._postings
        totals = np.zeros(len(postings.ranks))
        for term, repeats in Counter(self._analyzer.terms(query)).items():
            begin, end = self._place(term)
            if begin < end:
                weighed = weight(postings.filled, end - begin, repeats)
                totals[postings.documents[begin:end]] += scores(weighed, postings.scales[begin:end])
        hits = np.flatnonzero(totals)
        found = totals[hits].astype(np.float32)
        if len(hits) > count:
            best = found >= np.partition(found, -count)[-count]
            hits, found = hits[best], found[best]
        return hits[np.lexsort((postings.ranks[hits], -found))][:count].tolist()

    def _place(self, term: str) -> tuple[int, int]:
        """Where the postings of a term begin and end."""
        if len(self._places) > _KEPT:
            self._places.clear()
        if term not in self._places:
            terms = self._postings.terms
            row = bisect_left(terms, term)
            known = row < len(terms) and terms[row] == term
            self._places[term] = (int(self._postings.starts[row]), int(self._postings.starts[row + 1])) if known else (0, 0)
        return self._places[term]
