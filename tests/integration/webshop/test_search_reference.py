"""Every ranking recorded from the original's search engine comes out the same."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from services.webshop.catalogue import ProductList
from services.webshop.search import TextSearch

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set"),
]


def test_every_recorded_ranking_is_reproduced() -> None:
    folder = Path(os.environ["RESTEP_DATA"]) / "webshop"
    rows: list[dict[str, Any]] = json.loads((folder / "items_shuffle_1000.json").read_bytes())
    catalogue = ProductList(rows, {}, {})
    search = TextSearch.over(catalogue)
    with lzma.open(folder / "reference" / "search_top50.jsonl.xz", "rt") as lines:
        recorded = [json.loads(line) for line in lines]
    assert len(recorded) >= 1200
    for row in recorded:
        assert [catalogue[number].asin for number in search.top(row["q"])] == row["asins"], row["q"]
