"""An index put together from parts on disk is the one made in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.disk_postings import PostingsWriter, read_postings
from services.webshop.postings import Inverter, Postings, index, ranks

WORDS = ["red", "blue", "shoes", "the", "naïve", "❤", "women's", "36x36", "zebra", "4.5"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1, max_size=12)


def merged(texts: list[str], cuts: set[int], folder: Path) -> Postings:
    """A part ends before each of ``cuts``."""
    inverter, writer = Inverter(), PostingsWriter(folder)
    for number, text in enumerate(texts):
        if number in cuts:
            writer.add(inverter.take())
        inverter.add(text)
    writer.add(inverter.take())
    writer.finish()
    return read_postings(folder, ranks([f"{number:03}" for number in range(len(texts))]))


@given(TEXTS, st.sets(st.integers(0, 11)))
def test_parts_make_the_same_index(texts: list[str], cuts: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        on_disk = merged(texts, cuts, Path(folder) / "postings")
        in_memory = index(texts, [f"{number:03}" for number in range(len(texts))])
        assert list(on_disk.terms) == list(in_memory.terms)
        assert on_disk.filled == in_memory.filled
        count = int(in_memory.starts[-1])
        assert np.array_equal(on_disk.starts, in_memory.starts)
        assert np.array_equal(on_disk.documents[:count], in_memory.documents)
        assert np.array_equal(on_disk.scales[:count], in_memory.scales)
        assert np.array_equal(on_disk.ranks, in_memory.ranks)


def test_parts_do_not_stay(tmp_path: Path) -> None:
    merged(["red", "blue"], {1}, tmp_path / "postings")
    assert not list((tmp_path / "postings").glob("part-*"))


def test_written_terms_are_a_sequence(tmp_path: Path) -> None:
    terms = merged(["red blue", "zebra"], {1}, tmp_path / "postings").terms
    assert terms[0:2] == ["blue", "red"]
    with pytest.raises(IndexError):
        terms[3]
