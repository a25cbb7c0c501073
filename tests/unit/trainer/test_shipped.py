"""From a checkpoint's name to where it lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import RestepError
from trainer.shipped import FOLDER, NAME, locate


def test_the_base_comes_along() -> None:
    assert locate(NAME) == str(FOLDER)
    assert (FOLDER / "model.safetensors").is_file()


def test_a_folder_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert locate("mine") == os.path.realpath(tmp_path / "mine")


@pytest.mark.parametrize("name", ["owner/model", "~nobody-here/x", "long" * 2000])
def test_what_is_no_folder_is_left_as_it_is(name: str) -> None:
    assert locate(name) == name


@pytest.mark.parametrize("path", ["/absent/folder", "/" + "long" * 2000])
def test_a_path_that_is_no_folder_is_not_found(path: str) -> None:
    with pytest.raises(RestepError, match="checkpoint_not_found"):
        locate(path)
