"""A user's mistake at the command line is one line and a non-zero exit code, never a stack trace."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.trajectories import sample
from trainer.folder import RunFolder
from trainer.recipe import load_recipe
from trainer.results import RESULTS_FILE


def restep(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainer.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line, checked to be one."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_an_unknown_server_is_named() -> None:
    assert "no server 'doom'" in complaint(restep("serve", "doom"))


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        line = complaint(restep("serve", "sciworld", "--port", str(port)))
    assert f"127.0.0.1:{port} is in use" in line


def test_a_wrong_setting_is_named() -> None:
    assert "workers" in complaint(restep("serve", "sciworld", "--workers", "0"))


def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    assert "absent" in complaint(restep("serve", "sciworld", "--token-file", str(tmp_path / "absent")))


def test_a_password_on_the_command_line_is_refused_and_not_repeated() -> None:
    line = complaint(restep("serve", "viewer", "--store", "postgresql://restep:hunter2@127.0.0.1/restep"))
    assert "RESTEP_STORE_PASSWORD_FILE" in line
    assert "hunter2" not in line


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    assert "absent" in complaint(restep("serve", "sciworld", "--data", str(tmp_path / "absent")))


def test_a_checkpoint_that_does_not_exist_is_named(tmp_path: Path) -> None:
    line = complaint(restep("serve", "agent", "--port", "0", "--checkpoint", str(tmp_path / "absent")))
    assert "absent" in line
    assert "checkpoint_not_found" in line


@pytest.mark.parametrize("command", [["experiment"], ["collect", "golden"], ["finetune"]])
def test_a_missing_recipe_is_named(command: list[str], tmp_path: Path) -> None:
    arm = ["step"] if command == ["finetune"] else []
    line = complaint(restep(*command, str(tmp_path / "absent.yaml"), *arm, "--runs", str(tmp_path)))
    assert "absent.yaml" in line
    assert "invalid_recipe" in line


def test_a_wrong_recipe_field_is_named(tmp_path: Path) -> None:
    line = complaint(restep("demo", "--runs", str(tmp_path), "--set", "finetune.epochs=many"))
    assert "finetune.epochs" in line


@pytest.mark.parametrize("command", [["experiment", "demo"], ["collect", "golden", "demo"], ["finetune", "demo", "step"]])
def test_a_base_that_is_not_there_is_named_before_anything_is_begun(command: list[str], tmp_path: Path) -> None:
    line = complaint(restep(*command, "--runs", str(tmp_path / "runs"), "--set", f"base={tmp_path}"))
    assert line == f"restep: base: {tmp_path}: no config.json in this folder [checkpoint_not_found]"
    assert not (tmp_path / "runs").exists()


def test_an_unknown_arm_is_named(tmp_path: Path) -> None:
    line = complaint(restep("evaluate", "demo", "best", "--runs", str(tmp_path)))
    assert "no arm 'best'" in line


def test_an_arm_that_is_not_trained_is_named(tmp_path: Path) -> None:
    line = complaint(restep("evaluate", "demo", "step", "--runs", str(tmp_path)))
    assert "checkpoint_not_found" in line


def test_a_report_of_no_run_is_refused(tmp_path: Path) -> None:
    assert "data_not_found" in complaint(restep("report", str(tmp_path / "absent")))


def test_a_collection_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    folder = RunFolder.claim(load_recipe("demo"), tmp_path)
    with folder.store() as store:
        store.commit(sample()[0].model_copy(update={"run": "golden/sciworld", "id": ""}).sealed(), kept=False)
    line = complaint(restep("export", str(folder.path), "golden", str(tmp_path / "out.jsonl")))
    assert "no trajectory of 'golden'" in line
    assert "it has golden/sciworld" in line
    done = restep("export", str(folder.path), "golden/sciworld", str(tmp_path / "out.jsonl"), "--all")
    assert done.stdout.startswith("1 trajectories in")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--format", "json"], "no format 'json'; there are jsonl, trl"),
        (["--checkpoint", "base"], "--checkpoint: jsonl has no tokens"),
        (["--format", "trl", "--checkpoint", "absent"], "absent: no such folder"),
    ],
)
def test_a_wrong_export_is_refused_and_writes_nothing(flags: list[str], told: str, tmp_path: Path) -> None:
    folder = RunFolder.claim(load_recipe("demo"), tmp_path)
    with folder.store() as store:
        store.commit(sample()[0], kept=True)
    assert told in complaint(restep("export", str(folder.path), "test", str(tmp_path / "out.jsonl"), *flags))
    assert not list(tmp_path.glob("out*"))


def test_results_of_an_older_schema_are_named(tmp_path: Path) -> None:
    (tmp_path / RESULTS_FILE).write_text('{"results_schema": 1}')
    assert "results schema 1; this version reads 3" in complaint(restep("report", str(tmp_path)))


def test_an_environment_that_is_not_there_is_named(tmp_path: Path) -> None:
    line = complaint(
        restep("collect", "golden", "demo", "--runs", str(tmp_path), "--set", "environments.sciworld.url=http://127.0.0.1:9")
    )
    assert "127.0.0.1:9" in line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["agent", "--workers", "3", "--expert"], "--expert, --workers: not an option of this server"),
        (["sciworld", "--checkpoint", "base"], "--checkpoint: not an option of this server"),
        (["sciworld", "--engine", "direct"], "--engine: not an option of this server"),
    ],
)
def test_a_flag_of_another_server_is_refused_not_ignored(arguments: list[str], named: str) -> None:
    assert named in complaint(restep("serve", *arguments))
