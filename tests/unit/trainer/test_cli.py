"""The command line's own decisions; what its commands do is tested where it is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shared.errors import RestepError
from tests.support.trajectories import Said, sample, trajectory
from trainer.cli import app
from trainer.folder import RunFolder
from trainer.recipe import load_recipe


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with the collection ``test``: one trajectory kept, one not."""
    folder = RunFolder.claim(load_recipe("demo"), tmp_path)
    with folder.store() as store:
        for kept, trajectory in zip((True, False), sample(), strict=False):
            store.commit(trajectory, kept=kept)
    return folder.path


def export(run: Path, collection: str, *flags: str) -> tuple[Result, Path]:
    path = run / "out.jsonl"
    return CliRunner().invoke(app, ["export", str(run), collection, str(path), *flags]), path


@pytest.mark.parametrize(("flags", "count"), [((), 1), (("--all",), 2)])
def test_export_writes_what_was_kept_or_everything(run: Path, flags: tuple[str, ...], count: int) -> None:
    done, path = export(run, "test", *flags)
    assert done.exit_code == 0
    assert len(path.read_text().splitlines()) == count


@pytest.mark.parametrize("form", ["jsonl", "trl", "axolotl", "ms-swift", "llama-factory"])
def test_export_in_any_format_keeps_to_what_was_kept(run: Path, form: str) -> None:
    done, path = export(run, "test", "--format", form)
    assert done.exit_code == 0
    assert done.stdout == f"1 trajectories in {path}\n"
    assert len(path.read_text().splitlines()) == 1
    assert export(run, "test", "--format", form, "--all")[1].read_text().count("\n") == 2


def test_export_to_parquet_is_told_by_the_path(run: Path) -> None:
    path = run / "out.parquet"
    done = CliRunner().invoke(app, ["export", str(run), "test", str(path), "--all"])
    assert done.stdout == f"2 trajectories in {path}\n"
    assert path.read_bytes()[:4] == b"PAR1"


def test_export_says_what_it_left_out(run: Path) -> None:
    with RunFolder(run).store() as store:
        store.commit(trajectory([Said("error", "Thought: a\nAction: b")], task="lost"), kept=True)
    done, path = export(run, "test", "--format", "ms-swift")
    assert done.stdout == f"1 trajectories in {path}; 1 left out, of which nothing would be trained\n"


def test_export_of_nothing_is_refused_and_writes_no_file(run: Path) -> None:
    done, path = export(run, "tset")
    assert isinstance(done.exception, RestepError)
    assert done.exception.code == "data_not_found"
    assert "it has test" in done.exception.detail
    assert not path.exists()


def test_export_says_that_nothing_was_kept(run: Path) -> None:
    with RunFolder(run).store() as store:
        store.commit(sample()[1].model_copy(update={"run": "evaluation/step"}).sealed(), kept=False)
    done, path = export(run, "evaluation/step")
    assert isinstance(done.exception, RestepError)
    assert "--all" in done.exception.detail
    assert not path.exists()
    assert export(run, "evaluation/step", "--all")[0].exit_code == 0


def test_export_reads_a_shared_store_without_the_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = str(tmp_path / "shared.db")
    with RunFolder.claim(load_recipe("demo", [f"store={shared}"]), tmp_path / "there").store() as store:
        store.commit(sample()[0], kept=True)
    here = tmp_path / "here" / "demo"
    here.mkdir(parents=True)
    assert export(here, "test", "--store", shared)[0].exit_code == 0
    monkeypatch.setenv("RESTEP_STORE", shared)
    done, path = export(here, "test")
    assert done.exit_code == 0
    assert len(path.read_text().splitlines()) == 1
