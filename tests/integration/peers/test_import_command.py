"""``restep import`` as a person types it, and what it brought: trained on, verified and exported like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import orjson
import pytest
import yaml

from shared.store import TrajectoryStore
from tests.support.process import CellarProcess
from tests.support.published import as_agentgym, as_eto
from tests.support.tiny_model import tiny_checkpoint
from trainer.folder import STORE_FILE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cellar() -> Generator[str]:
    with CellarProcess(expert=True) as server:
        yield server.url


def restep(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainer.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=dict(os.environ))


def test_imported_trajectories_are_trained_verified_and_exported(cellar: str, tmp_path: Path) -> None:
    recipe = tmp_path / "peers.yaml"
    recipe.write_text(
        yaml.safe_dump(
            {
                "name": "peers",
                "base": str(tiny_checkpoint(tmp_path / "tiny", context=2048)),
                "environments": {"cellar": {"url": cellar, "evaluation_tasks": {"split": "test"}}},
                "finetune": {"epochs": 1, "pack_tokens": 2048, "batch_tokens": 4096},
                "arms": {"peers": {"data": ["imported"]}},
                "student": "peers",
                "reference": "peers",
            }
        )
    )
    runs = ("--runs", tmp_path / "runs")
    assert restep("collect", "golden", recipe, *runs).returncode == 0
    with TrajectoryStore(tmp_path / "runs" / "peers" / STORE_FILE) as store:
        played = list(store.trajectories("golden/cellar"))
    good, bad = tmp_path / "agentgym.jsonl", tmp_path / "eto.json"
    good.write_bytes(b"\n".join(orjson.dumps(as_agentgym(one, one.task.id)) for one in played[:5]))
    bad.write_bytes(orjson.dumps([as_eto(played[5], id=played[5].task.id), {"id": 3}]))

    done = restep("import", recipe, good, bad, *runs)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "6 trajectories imported (0 already there), 6 for training; all replayed; 1 refused (invalid_trajectory 1)"
    )
    assert done.stderr.splitlines() == ["restep: eto.json, entry 2: conversations: Field required [invalid_trajectory]"]
    (row,) = (tmp_path / "runs" / "peers" / "refused" / "cellar.jsonl").read_bytes().splitlines()
    assert orjson.loads(row)["entry"] == 2

    trained = restep("finetune", recipe, "peers", *runs)
    assert trained.returncode == 0, trained.stderr
    assert orjson.loads((tmp_path / "runs" / "peers" / "arms" / "peers" / "restep.json").read_bytes())["trajectories"] == 6
    verified = restep("verify", tmp_path / "runs" / "peers", "imported/cellar", "--url", cellar)
    assert verified.stdout.splitlines()[-1].startswith("6 trajectories replayed")
    exported = restep("export", tmp_path / "runs" / "peers", "imported/cellar", tmp_path / "out.jsonl")
    assert exported.stdout.startswith("6 trajectories in")

    again = restep("import", recipe, good, *runs)
    assert "5 trajectories imported (5 already there), 5 for training; all replayed" in again.stdout
    nothing = restep("import", recipe, bad, *runs, "--environment", "attic")
    assert nothing.returncode == 1
    assert "--environment: one of cellar, not 'attic'" in nothing.stderr
    absent = restep("import", recipe, tmp_path / "absent.json", *runs)
    assert (absent.returncode, len(absent.stderr.strip().splitlines())) == (1, 1)
