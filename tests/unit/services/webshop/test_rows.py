"""The files of a shop: what is written is read again, and damage is told."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.webshop.generate import generate_rows
from services.webshop.rows import FILES, Rows, read_pack, write_folder, write_pack
from shared.errors import RestepError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=20)
@given(st.lists(st.dictionaries(TEXT, TEXT)), st.dictionaries(TEXT, st.lists(TEXT)))
def test_a_pack_gives_back_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, products: list[dict[str, str]], nouns: dict[str, list[str]]
) -> None:
    rows = Rows(products=list(products), instructions={}, human={}, nouns=nouns)
    path = tmp_path_factory.getbasetemp() / "pack.json.xz"
    write_pack(path, rows)
    assert read_pack(path) == rows


@pytest.mark.parametrize("content", [b"", b"{}", b"\xfd7zXZ\x00"])
def test_what_is_no_pack_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pack"
    path.write_bytes(content)
    with pytest.raises(RestepError, match="not a pack of a shop") as failure:
        read_pack(path)
    assert failure.value.code == "data_corrupt"


def test_a_cut_pack_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pack"
    write_pack(path, generate_rows(20, 1))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RestepError, match="not a pack of a shop"):
        read_pack(path)


def test_a_missing_pack_is_told(tmp_path: Path) -> None:
    with pytest.raises(RestepError) as failure:
        read_pack(tmp_path / "none")
    assert failure.value.code == "data_not_found"


def test_a_folder_has_the_official_files_and_is_never_written_over(tmp_path: Path) -> None:
    rows = generate_rows(30, 2)
    write_folder(tmp_path / "webshop", rows)
    written = {field: orjson.loads((tmp_path / "webshop" / name).read_bytes()) for field, name in FILES.items()}
    assert Rows(**written) == rows
    with pytest.raises(RestepError, match="is there already") as failure:
        write_folder(tmp_path / "webshop", generate_rows(30, 3))
    assert failure.value.code == "data_not_written"
    assert orjson.loads((tmp_path / "webshop" / FILES["products"]).read_bytes()) == rows.products
