"""The proof of the masks notices when they are wrong: each of the easy mistakes fails the tests that are there for it (P12)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import mutants

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, Any]]:
    environment = os.environ | {"PYTHONPATH": str(mutants.ROOT), "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, str(Path(mutants.__file__))]
    done = subprocess.run(command, env=environment, cwd=mutants.ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return {one["mutant"]: one for one in map(json.loads, done.stdout.splitlines())}


def test_without_a_mistake_the_tests_pass(verdicts: dict[str, dict[str, Any]]) -> None:
    assert verdicts[mutants.CONTROL.name] == {"mutant": mutants.CONTROL.name, "code": pytest.ExitCode.OK, "failed": []}


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_fails_the_tests_that_are_there_for_it(mutant: mutants.Mutant, verdicts: dict[str, dict[str, Any]]) -> None:
    verdict = verdicts[mutant.name]
    assert verdict["code"] == pytest.ExitCode.TESTS_FAILED
    assert verdict["failed"] == sorted(mutant.caught_by)
