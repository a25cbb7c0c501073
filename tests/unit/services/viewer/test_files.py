from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from services.viewer import files
from services.viewer.files import RunFiles, iso
from shared.errors import RestepError


def refusal(run: RunFiles, name: str) -> str:
    with pytest.raises(RestepError) as caught:
        run.json(name)
    return caught.value.code


def test_only_files_of_the_run_are_found(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("{}")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "own").write_text("{}")
    (folder / "alias").symlink_to(folder / "own")
    (folder / "way out").symlink_to(tmp_path / "other")
    run = RunFiles(folder)
    assert run.find("own") == folder / "own"
    assert run.find("alias") is not None
    for name in ("way out", "../other", "absent", "."):
        assert run.find(name) is None


def test_what_cannot_be_read_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list").write_text("[]")
    (tmp_path / "torn").write_text('{"a": ')
    run = RunFiles(tmp_path)
    assert (refusal(run, "absent"), refusal(run, "list"), refusal(run, "torn")) == (
        "data_not_found",
        "data_corrupt",
        "data_corrupt",
    )
    monkeypatch.setattr(files, "MAX_BYTES", 1)
    assert refusal(run, "list") == "data_corrupt"


def test_the_last_whole_line_is_read_while_the_next_is_written(tmp_path: Path) -> None:
    run = RunFiles(tmp_path)
    assert run.last_line("lines") == {}
    (tmp_path / "lines").write_bytes(b'{"step": 1}\n' * 20_000 + b'{"step": 2}\n[3]\n{"st')
    assert run.last_line("lines") == {"step": 2}
    (tmp_path / "lines").write_bytes(b"x" * 200_000)
    assert run.last_line("lines") == {}


def test_a_run_is_going_while_something_is_written(tmp_path: Path) -> None:
    run = RunFiles(tmp_path)
    assert not run.going()
    assert iso(run.touched()) == ""
    (tmp_path / "trajectories.db").touch()
    assert run.going()
    before = time.time() - 3600
    os.utime(tmp_path / "trajectories.db", (before, before))
    assert not run.going()
    (tmp_path / "arms" / "step").mkdir(parents=True)
    (tmp_path / "arms" / "step" / "metrics.jsonl").touch()
    assert run.going()
    assert run.arms() == ["step"]
