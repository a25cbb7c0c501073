"""A training's folder after kills at bad moments: half files, lines too many, a folder of somebody else."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from shared.errors import RestepError
from trainer.training_folder import TrainingFolder


def _checkpoint(folder: TrainingFolder, step: int, state: bytes | None = None) -> Path:
    path = folder.checkpoints / f"checkpoint-{step}"
    path.mkdir(parents=True)
    if state is None:
        state = orjson.dumps({"global_step": step})
    (path / "trainer_state.json").write_bytes(state)
    return path


def test_the_last_checkpoint_is_the_newest_whole_one(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    assert folder.last_checkpoint() is None
    _checkpoint(folder, 90)
    newest = _checkpoint(folder, 100)
    _checkpoint(folder, 110, state=b'{"global_st')
    _checkpoint(folder, 111, state=b"{}")
    (folder.checkpoints / "checkpoint-120").mkdir()
    assert folder.last_checkpoint() == (newest, 100)


def test_metrics_after_the_checkpoint_are_taken_back(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    for step in range(1, 6):
        folder.add_metrics({"step": step, "loss": 1.0 / step})
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 6, "lo')
    assert [line["step"] for line in folder.metrics()] == [1, 2, 3, 4, 5]
    assert [line["step"] for line in folder.metrics(until=3)] == [1, 2, 3]
    folder.add_metrics({"step": 4})
    assert [line["step"] for line in folder.metrics()] == [1, 2, 3, 4]


def test_a_folder_belongs_to_one_training(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path / "out")
    folder.claim("one")
    folder.claim("one")
    with pytest.raises(RestepError) as caught:
        folder.claim("two")
    assert caught.value.code == "invalid_recipe"


def test_the_card_ends_a_training_and_drops_its_checkpoints(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    folder.claim("one")
    _checkpoint(folder, 3)
    assert folder.card() is None
    folder.finish(b"{}")
    assert folder.card() == b"{}"
    assert not folder.checkpoints.exists()


def test_what_the_disk_refuses_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = TrainingFolder(tmp_path / "file" / "out")
    with pytest.raises(RestepError) as caught:
        folder.claim("one")
    assert caught.value.code == "store_failed"
    with pytest.raises(RestepError):
        folder.add_metrics({"step": 1})


def test_a_process_that_does_not_write_leaves_the_folder_as_it_is(tmp_path: Path) -> None:
    TrainingFolder(tmp_path).add_metrics({"step": 1})
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    reader = TrainingFolder(tmp_path, writer=False)
    reader.claim("one")
    reader.add_metrics({"step": 2})
    assert reader.metrics(until=0) == []
    reader.finish(b"{}")
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before
