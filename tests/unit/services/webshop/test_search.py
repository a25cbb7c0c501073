"""Search returns what a plain statement of BM25 does, for any texts and any query."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.analysis import Analyzer
from services.webshop.bm25 import average_length, scales, weight
from services.webshop.postings import index
from services.webshop.search import TextSearch

WORDS = ["red", "blue", "shoes", "shoe", "the", "cotton", "long-sleeve", "women's", "4.5", "❤", ""]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join), max_size=12)
QUERIES = st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=6).map(" ".join)


def search(*texts: str, names: list[str] | None = None) -> TextSearch:
    return TextSearch(index(texts, names or [f"{number:03}" for number in range(len(texts))]))


def plainly(texts: list[str], names: list[str], query: str) -> list[int]:
    """Document by document, without an index."""
    analyzer = Analyzer()
    counted = [Counter(analyzer.terms(text)) for text in texts]
    filled = sum(1 for counts in counted if counts)
    average = average_length(sum(counts.total() for counts in counted), filled)
    found: list[tuple[float, str, int]] = []
    for number, counts in enumerate(counted):
        total = 0.0
        for term, repeats in Counter(analyzer.terms(query)).items():
            if counts[term]:
                weighed = weight(filled, sum(term in other for other in counted), repeats)
                divisor = scales(np.array([counts[term]], np.int32), np.array([counts.total()], np.int32), average)[0]
                total += float(weighed - weighed / divisor)
        if total:
            found.append((-float(np.float32(total)), names[number], number))
    return [number for _, _, number in sorted(found)]


@given(TEXTS, QUERIES, st.integers(1, 15), st.randoms(use_true_random=False))
def test_rankings_are_those_of_the_formula(texts: list[str], query: str, count: int, random: object) -> None:
    names = [f"{number * 7919 % 101:03}" for number in range(len(texts))]
    assert search(*texts, names=names).top(query, count) == plainly(texts, names, query)[:count]


def test_nothing_is_found_for_nothing() -> None:
    shop = search("red shoes", "blue shoes")
    assert shop.top("") == shop.top("the and of") == shop.top("unknown") == shop.top("?!") == []
    assert search().top("red") == []
    assert search("", "the").top("red the") == []


def test_only_documents_with_a_term_are_found() -> None:
    shop = search("red shoes", "blue shoes", "green hat")
    assert shop.top("blue shoe") == [1, 0]
    assert shop.top("blue shoe", 1) == [1]
    assert shop.top("hats unknown") == [2]


def test_ties_go_by_name() -> None:
    assert search("hat", "hat", "hat", names=["C", "A", "B"]).top("hat") == [1, 2, 0]
    assert search("hat", "hat", "hat", names=["C", "A", "B"]).top("hat", 2) == [1, 2]


def test_a_word_said_twice_counts_twice() -> None:
    shop = search("red", "shoe", names=["A", "B"])
    assert shop.top("red shoe") == [0, 1]
    assert shop.top("red shoe shoes") == [1, 0]
