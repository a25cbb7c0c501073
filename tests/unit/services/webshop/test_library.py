"""Where the stock comes from, and what its version tells."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest

from services.webshop.colours import COLOURS
from services.webshop.generate import generate_rows
from services.webshop.library import embedded_stock, open_stock
from services.webshop.nouns import words
from services.webshop.rows import FILES, write_folder
from services.webshop.stock import Stock
from services.webshop.tagger import MODEL, tagged
from shared.errors import RestepError

TAGGER = find_spec("spacy") is not None and find_spec(MODEL) is not None


def silent(line: str) -> None:
    """Nobody is told."""


def opened(folder: Path) -> Stock:
    return open_stock(folder, cache=folder / "cache", say=silent)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_folder(tmp_path / "webshop", generate_rows(40, 1))
    return tmp_path


def test_without_data_the_embedded_shop_is_opened(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "alfworld").mkdir()
    stock = open_stock(tmp_path, cache=tmp_path, say=said.append)
    assert len(said) == 1
    assert "opening the embedded shop" in said[0]
    assert stock.data_version == open_stock(None).data_version == embedded_stock().data_version
    assert stock.origin == "embedded"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RestepError) as failure:
        opened(tmp_path / "none")
    assert failure.value.code == "data_not_found"


@pytest.mark.parametrize(("content", "code"), [(None, "data_not_found"), (b"[{", "data_corrupt")])
def test_missing_and_damaged_instructions_are_told(data: Path, content: bytes | None, code: str) -> None:
    path = data / "webshop" / FILES["instructions"]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RestepError, match=path.name) as failure:
        opened(data)
    assert failure.value.code == code


def test_the_small_set_has_names_of_its_own(data: Path) -> None:
    folder = data / "webshop"
    products = list(opened(data).catalogue)
    (folder / "items_shuffle.json").rename(folder / "items_shuffle_1000.json")
    (folder / "items_ins_v2.json").rename(folder / "items_ins_v2_1000.json")
    assert list(opened(data).catalogue) == products


def test_the_version_follows_every_file(data: Path) -> None:
    versions = {opened(data).data_version, opened(data).data_version}
    for name in FILES.values():
        path = data / "webshop" / name
        content = orjson.loads(path.read_bytes())
        if isinstance(content, list):
            content.pop()
        else:
            content.popitem()
        path.write_bytes(orjson.dumps(content))
        versions.add(opened(data).data_version)
    (data / "webshop" / "colors.json").write_text('["red"]')
    stock = opened(data)
    assert list(stock.colours) == ["red"]
    assert len(versions | {stock.data_version}) == 2 + len(FILES)


def test_people_nouns_and_colours_may_be_missing(data: Path) -> None:
    before = opened(data)
    for name in ("human", "nouns"):
        (data / "webshop" / FILES[name]).unlink()
    stock = opened(data)
    assert before.nouns.source == "table"
    assert tuple(stock.colours) == COLOURS
    assert stock.data_version != before.data_version
    assert not stock.catalogue.human_requests(0)
    if not TAGGER:
        product = stock.catalogue[0]
        assert stock.nouns.source == "words"
        assert stock.nouns.of(product) == words(product.name)


def test_a_table_with_gaps_is_filled_and_named(data: Path) -> None:
    path = data / "webshop" / FILES["nouns"]
    table = orjson.loads(path.read_bytes())
    left_out = sorted(table)[0]
    path.write_bytes(orjson.dumps({asin: nouns for asin, nouns in table.items() if asin != left_out}))
    stock = opened(data)
    number = stock.catalogue.number(left_out)
    assert number is not None
    assert stock.nouns.source == "table, words"
    assert stock.nouns.of(stock.catalogue[number]) == words(stock.catalogue[number].name)


@pytest.mark.skipif(TAGGER, reason="spaCy's model is installed here")
def test_without_spacy_nothing_is_tagged(tmp_path: Path) -> None:
    assert tagged({"B0": "Red Lamp"}, tmp_path, silent) is None


@pytest.mark.skipif(not TAGGER, reason="spaCy's model is not installed")
def test_names_are_tagged_once(tmp_path: Path) -> None:
    said: list[str] = []
    first = tagged({"B0": "Red Lamp for the Desk"}, tmp_path, said.append)
    assert first is not None
    assert first[0]["B0"][-1] == "desk"
    assert tagged({"B0": "Red Lamp for the Desk"}, tmp_path, said.append) == first
    assert len(said) == 1
