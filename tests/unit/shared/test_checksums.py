"""Checksums are kept from one process to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.checksums import Checksums
from shared.errors import RestepError


def test_what_is_kept_is_known_later(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "fetched.json"
    assert Checksums(path).get("a") is None
    Checksums(path).keep("a", "01")
    Checksums(path).keep("b/c", "02")
    assert [Checksums(path).get(name) for name in ("a", "b/c", "d")] == ["01", "02", None]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "fetched.json").write_text("{")
    with pytest.raises(RestepError, match=r"fetched\.json.*remove it") as raised:
        Checksums(tmp_path / "fetched.json")
    assert raised.value.code == "data_corrupt"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    checksums = Checksums(tmp_path / "file" / "fetched.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(RestepError) as raised:
        checksums.keep("a", "01")
    assert raised.value.code == "data_not_written"
