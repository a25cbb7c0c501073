"""What a fault must not change: a run's units, each finished once, and its data to the last byte but their date."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from shared.store import TrajectoryStore
from tests.support.run_plan import RUN

Content = tuple[str, int, bool, str]


def finished(store: TrajectoryStore, run: str = RUN) -> list[Content]:
    """Task, attempt, whether it is for training, and the hash of the content, of every finished unit."""
    return [(unit.task_id, unit.attempt, unit.kept, unit.trajectory_id) for unit in store.units(run)]


def exported(store: TrajectoryStore, run: str = RUN) -> list[dict[str, Any]]:
    """Every line that ``restep export --all`` writes, without the date and the name of the run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        store.export_jsonl(run, path, kept=None)
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("run", "created")} for line in lines]


def assert_same_run(
    store: TrajectoryStore, unbroken: TrajectoryStore, before: list[Content] | None = None, run: str = RUN
) -> None:
    """None lost, of those finished ``before`` a fault either; none twice; and all as in a run that met no fault."""
    after = finished(store, run)
    assert set(before or []) <= set(after), "a finished episode is lost"
    assert max(Counter((task, attempt) for task, attempt, _, _ in after).values()) == 1, "an episode is there twice"
    assert after == finished(unbroken)
    assert exported(store, run) == exported(unbroken)
    assert [failure for failure in store.failures(run) if not failure.resolved] == []
