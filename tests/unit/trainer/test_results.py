"""Results survive the disk, and a damaged file is an error that names the field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.errors import RestepError
from tests.support.outcome import results
from tests.support.trajectories import sample
from trainer.results import RESULTS_FILE, load_results, save_results, summarise_collection


def test_round_trip(tmp_path: Path) -> None:
    written = results()
    save_results(written, tmp_path)
    assert load_results(tmp_path) == written


def test_no_results_yet(tmp_path: Path) -> None:
    with pytest.raises(RestepError) as caught:
        load_results(tmp_path)
    assert caught.value.code == "data_not_found"


def test_damage_is_named(tmp_path: Path) -> None:
    path = save_results(results(), tmp_path)
    body = json.loads(path.read_text())
    body["arms"]["step"]["evaluation"]["episodes"] = "many"
    (tmp_path / RESULTS_FILE).write_text(json.dumps(body))
    with pytest.raises(RestepError, match=r"arms\.step\.evaluation\.episodes") as caught:
        load_results(tmp_path)
    assert caught.value.code == "data_corrupt"


def test_the_reference_differs_from_itself_by_nothing() -> None:
    arms = results().arms
    assert arms["golden-all"].differences == {}
    assert arms["step"].differences["score"].low > 0


def test_steps_are_counted_of_kept_trajectories_alone() -> None:
    documents = sample()
    summary = summarise_collection(documents, documents[:1], failed=2)
    assert (summary.tasks, summary.kept) == (5, 1)
    assert summary.steps == {"golden": 2, "error": 1, "reflection": 1, "correction": 1}
