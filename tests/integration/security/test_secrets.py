"""A driver that is given secrets leaves none behind: not in its run, in its servers' logs, or in what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.security.conftest import written
from tests.support.server import ROOT

TOKEN, KEY = "s3cr3t-t0ken", "sk-s3cr3t-key"
RECIPE = """
name: quiet
reference: golden-all
student: golden-all
environments:
  alfworld:
    data: embedded
    tasks: {split: embedded_train, types: [look_at_obj_in_light], per_type: 2}
    evaluation_tasks: {split: embedded_unseen, limit: 1}
arms:
  golden-all: {data: [golden_u1, golden_u2]}
"""


@pytest.mark.slow
def test_a_run_holds_no_secret(tmp_path: Path) -> None:
    recipe = written(tmp_path / "quiet.yaml", RECIPE)
    tokens = written(tmp_path / "tokens", f"driver {TOKEN}\n")
    secrets = {"RESTEP_TOKEN_FILE": str(tokens), "RESTEP_TEACHER_KEY": KEY, "RESTEP_LOG_LEVEL": "debug"}
    done = subprocess.run(
        [sys.executable, "-m", "trainer.cli", "collect", "golden", str(recipe), "--runs", str(tmp_path / "runs")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **secrets},
        capture_output=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr.decode()
    left = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert any(path.suffix == ".log" for path in left)
    assert any(path.suffix == ".db" for path in left)
    for secret in (TOKEN.encode(), KEY.encode()):
        assert [path for path, content in left.items() if secret in content] == []
        assert secret not in done.stdout + done.stderr
