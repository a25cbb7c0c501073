"""A file in the cache is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cache import cache_folder, replacing


def test_a_file_appears_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def interrupted(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_others_may_read_it(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as file:
        file.write(b"x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_the_folder_follows_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEP_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
