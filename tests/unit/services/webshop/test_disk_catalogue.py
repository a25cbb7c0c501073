"""A catalogue on disk is the one in memory, and its index is made once, whole, and again when the files change."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.webshop import disk_index
from services.webshop.catalogue import ProductList
from services.webshop.disk_catalogue import DiskCatalogue
from services.webshop.search import TextSearch
from services.webshop.sources import Sources
from shared.errors import RestepError
from tests.support.wares import ADJECTIVES, KINDS, human_rows, instruction_rows, product_rows, write_catalogue


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_index, "_PART_TERMS", 500)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    rows = list(product_rows(200))
    rows[7] = {**rows[7], "asin": "nan"}
    rows[8] = {**rows[8], "asin": "B0123456789"}
    rows[9] = {**rows[9], "asin": rows[3]["asin"]}
    return rows


@pytest.fixture
def sources(tmp_path: Path, rows: list[dict[str, Any]]) -> Sources:
    return write_catalogue(tmp_path / "webshop", rows)


class Told(list[str]):
    def open(self, sources: Sources, tmp_path: Path, **how: bool) -> DiskCatalogue:
        self.clear()
        return DiskCatalogue.open(sources, tmp_path / "cache", self.append, **how)


def places(tmp_path: Path) -> Iterator[Path]:
    return (path for path in (tmp_path / "cache" / "webshop" / "catalogues").iterdir() if path.is_dir())


def refusal(sources: Sources, tmp_path: Path) -> RestepError:
    with pytest.raises(RestepError) as raised:
        Told().open(sources, tmp_path)
    return raised.value


def test_everything_is_as_in_memory(sources: Sources, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    stored = Told().open(sources, tmp_path)
    held = ProductList(rows, instruction_rows(rows), human_rows(rows))
    assert len(stored) == len(held) == 197
    assert list(stored) == list(held)
    assert list(stored.outlines()) == list(held.outlines())
    for number, product in enumerate(held):
        assert stored[number] == product
        assert stored.number(product.asin) == number
        assert stored.request(number) == held.request(number)
        assert tuple(stored.human_requests(number)) == tuple(held.human_requests(number))
    for asin in ("", "nan", "A", "ZZ", "Bé", "B0123456789", "\ud800"):
        assert stored.number(asin) is None
    for category in ("fashion", "garden", "grocery", "none"):
        assert stored.in_category(category) == held.in_category(category)
    for query in (*(f"{kind}s" for kind in KINDS), "none"):
        assert stored.with_query(query) == held.with_query(query)
    search = TextSearch.over(held)
    for query in (*ADJECTIVES, *KINDS, "red soft lamp m12 m13", "", "nothing"):
        assert stored.search.top(query) == search.top(query)


def test_the_index_is_made_once(sources: Sources, tmp_path: Path) -> None:
    told = Told()
    first = told.open(sources, tmp_path)
    assert "indexing it once" in told[0]
    assert told[-1].startswith("197 products indexed")
    second = told.open(sources, tmp_path)
    assert told == []
    assert second.digest == first.digest
    told.open(sources, tmp_path, renew=True)
    assert "indexing it once" in told[0]


@pytest.mark.parametrize("name", ["products", "instructions", "human"])
def test_a_changed_file_makes_it_again(sources: Sources, tmp_path: Path, name: str) -> None:
    told = Told()
    before = told.open(sources, tmp_path).digest
    path: Path = getattr(sources, name)
    path.write_bytes(path.read_bytes() + b"\n")
    assert told.open(sources, tmp_path).digest != before
    assert "indexing it once" in told[0]
    os.utime(path, (1, 1))
    told.open(sources, tmp_path)
    assert "indexing it once" in told[0]
    assert len(list(places(tmp_path))) == 1


def test_a_file_changed_under_way_is_noticed(sources: Sources, tmp_path: Path) -> None:
    stored = Told().open(sources, tmp_path)
    content = sources.products.read_bytes()
    sources.products.write_bytes(content.replace(stored[5].asin.encode(), b"B000000000"))
    fresh = DiskCatalogue(sources, next(places(tmp_path)), stored.digest)
    with pytest.raises(RestepError, match="changed since it was indexed"):
        fresh[5]
    sources.products.write_bytes(b" " + content)
    with pytest.raises(RestepError, match="cannot be read") as raised:
        fresh[6]
    assert raised.value.code == "data_corrupt"


def test_what_a_killed_process_left_is_no_index(sources: Sources, tmp_path: Path) -> None:
    Told().open(sources, tmp_path)
    (place,) = places(tmp_path)
    (place / "meta.json").unlink()
    place.rename(place.with_suffix(".part"))
    told = Told()
    assert len(told.open(sources, tmp_path)) == 197
    assert "indexing it once" in told[0]
    assert list(places(tmp_path)) == [place]


def test_processes_that_start_together_make_one_index(sources: Sources, tmp_path: Path) -> None:
    told, opened = Told(), list[DiskCatalogue]()
    threads = [
        threading.Thread(target=lambda: opened.append(DiskCatalogue.open(sources, tmp_path / "cache", told.append)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(stored) for stored in opened] == [197] * 4
    assert sum("indexing it once" in line for line in told) == 1


def test_a_damaged_index_is_named(sources: Sources, tmp_path: Path) -> None:
    Told().open(sources, tmp_path)
    (place,) = places(tmp_path)
    (place / "asins.npy").write_bytes(b"")
    error = refusal(sources, tmp_path)
    assert error.code == "data_corrupt"
    assert str(place) in error.detail
    (place / "meta.json").write_bytes(b"[")
    assert len(Told().open(sources, tmp_path)) == 197


def test_damaged_and_missing_files_are_named(sources: Sources, tmp_path: Path) -> None:
    assert sources.human is not None
    sources.human.write_bytes(b"{")
    assert sources.human.name in refusal(sources, tmp_path).detail
    sources.products.write_bytes(b"[]")
    assert "no products" in refusal(sources, tmp_path).detail
    sources.products.write_bytes(orjson.dumps([{"asin": "B1"}]))
    assert refusal(sources, tmp_path).code == "data_corrupt"
    sources.instructions.unlink()
    error = refusal(sources, tmp_path)
    assert error.code == "data_not_found"
    assert sources.instructions.name in error.detail


def test_people_may_have_asked_nothing(sources: Sources, tmp_path: Path) -> None:
    stored = Told().open(Sources(sources.products, sources.instructions, None), tmp_path)
    assert list(stored.human_requests(0)) == []


def test_a_cache_that_cannot_be_written_is_named(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    error = refusal(sources, tmp_path)
    assert error.code == "data_not_written"
    assert "RESTEP_CACHE" in error.detail
