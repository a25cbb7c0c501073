"""A file is whole under its name or not there, however the writing ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.files import whole_file
from tests.support.refusal import refusal


def fail(path: Path, cause: BaseException | type[BaseException]) -> None:
    with whole_file(path) as file:
        file.write(b"new")
        raise cause


def test_nobody_sees_a_file_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("cause", [KeyboardInterrupt, ValueError("a row that cannot be written")])
def test_what_stood_there_stands_when_the_writing_fails(cause: BaseException | type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises((KeyboardInterrupt, ValueError)):
        fail(path, cause)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_what_the_system_refuses_is_one_line_with_the_name_that_was_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "none" / "out", folder):
        with refusal() as caught, whole_file(path) as file:
            file.write(b"new")
        assert str(path) in caught.value.detail
    assert os.listdir(tmp_path) == ["folder"]


def test_two_that_write_the_same_name_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with whole_file(path) as one, whole_file(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["out"]
