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
    written = results("sciworld", "webshop")
    save_results(written, tmp_path)
    assert load_results(tmp_path) == written


def test_no_results_yet(tmp_path: Path) -> None:
    with pytest.raises(RestepError) as caught:
        load_results(tmp_path)
    assert caught.value.code == "data_not_found"


def test_damage_is_named(tmp_path: Path) -> None:
    path = save_results(results(), tmp_path)
    body = json.loads(path.read_text())
    body["arms"]["step"]["evaluations"]["sciworld"]["episodes"] = "many"
    (tmp_path / RESULTS_FILE).write_text(json.dumps(body))
    with pytest.raises(RestepError, match=r"arms\.step\.evaluations\.sciworld\.episodes") as caught:
        load_results(tmp_path)
    assert caught.value.code == "data_corrupt"


def test_the_reference_differs_from_itself_by_nothing() -> None:
    arms = results().arms
    assert arms["golden-all"].differences == {}
    assert arms["golden-all"].average.difference is None
    assert arms["step"].differences["sciworld"]["score"].low > 0


def test_in_one_environment_the_average_is_its_score_to_the_last_bit() -> None:
    for arm in results().arms.values():
        assert arm.average.score == arm.evaluations["sciworld"].metrics["score"]
        assert arm.average.difference == arm.differences.get("sciworld", {}).get("score")


def test_in_several_each_counts_the_same_however_many_tasks_it_has() -> None:
    found = results("sciworld", "webshop")
    step = found.arms["step"]
    assert step.average.score.mean == pytest.approx((0.85 + 0.65) / 2)
    assert step.average.difference is not None
    assert step.average.difference.mean == pytest.approx(((0.85 - 0.05) + (0.65 - 0.6)) / 2)
    assert list(step.differences) == list(found.environments) == ["sciworld", "webshop"]


def test_another_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / RESULTS_FILE).write_text(json.dumps({"results_schema": 1, "name": "old", "arms": {}}))
    with pytest.raises(RestepError, match=r"results schema 1; this version reads 3") as caught:
        load_results(tmp_path)
    assert caught.value.code == "data_corrupt"


def test_corrections_that_were_rejected_are_counted_among_the_errors() -> None:
    document = sample()[0]
    steps = [step.model_copy(update={"role": "teacher"}) if step.provenance == "error" else step for step in document.steps]
    summary = summarise_collection([document], [document.model_copy(update={"steps": steps})], failed=0)
    assert (summary.rejected, summary.steps["error"]) == (1, 1)


def test_steps_are_counted_of_kept_trajectories_alone() -> None:
    documents = sample()
    summary = summarise_collection(documents, documents[:1], failed=2)
    assert (summary.tasks, summary.kept) == (5, 1)
    assert summary.steps == {"golden": 2, "error": 1, "reflection": 1, "correction": 1}
