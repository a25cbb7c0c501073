"""The demo from nothing to the table: real servers, real engine, real training, on a few tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.store import TrajectoryStore
from tests.e2e.conftest import SMALL, demo, processes_marked
from trainer.results import load_results

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ARMS = ["base", "golden-small", "golden-all", "step", "step-unmasked"]
EPISODES = {"sciworld": 4, "alfworld": 3, "webshop": 3}
"""Of an arm's evaluation, in the recipe's order of environments."""


def test_every_arm_is_in_the_results_and_in_the_table(small_demo: tuple[Path, str]) -> None:
    folder, printed = small_demo
    results = load_results(folder)
    assert list(results.arms) == ARMS
    for name in ARMS:
        assert name in printed
    for name, arm in results.arms.items():
        assert {place: found.episodes for place, found in arm.evaluations.items()} == EPISODES
        assert (arm.training is None) == (name == "base")
    assert results.environments["sciworld"].versions["engine"].startswith("scienceworld")
    assert results.environments["alfworld"].versions["engine"].startswith("restep direct")
    assert results.environments["webshop"].versions["engine"].startswith("restep webshop")


def test_every_environment_has_its_column_and_its_part_of_the_report(small_demo: tuple[Path, str]) -> None:
    folder, printed = small_demo
    header = next(line for line in printed.splitlines() if line.split()[:1] == ["arm"])
    assert header.split()[1:5] == [*EPISODES, "mean"]
    page = (folder / "report.html").read_text()
    for place, episodes in EPISODES.items():
        assert f"{place}, split {load_results(folder).environments[place].protocol.splits[0]}, {episodes} tasks" in printed
        assert f'<section id="{place}">' in page


def test_the_masked_arm_trains_fewer_tokens_of_the_same_data(small_demo: tuple[Path, str]) -> None:
    arms = load_results(small_demo[0]).arms
    masked, unmasked = arms["step"].training, arms["step-unmasked"].training
    assert masked is not None
    assert unmasked is not None
    assert masked.tokens == unmasked.tokens
    assert masked.trained_tokens < unmasked.trained_tokens
    # In either arm an answer that was cut off has a stop token of weight 0, which the student never said.
    assert masked.trained_tokens + masked.masked_tokens == unmasked.trained_tokens + unmasked.masked_tokens


def test_no_held_out_task_was_trained_on(small_demo: tuple[Path, str]) -> None:
    for environment in load_results(small_demo[0]).environments.values():
        tasks = environment.tasks
        assert tasks["evaluation"]
        assert not set(tasks["evaluation"]) & {*tasks["U1"], *tasks["U2"]}
        assert not set(tasks["U1"]) & set(tasks["U2"])


@pytest.mark.parametrize("place", EPISODES)
def test_reflected_episodes_have_their_errors_masked(small_demo: tuple[Path, str], place: str) -> None:
    store = TrajectoryStore(small_demo[0] / "trajectories.db")
    try:
        steps = [step for trajectory in store.trajectories(f"reflected/{place}") for step in trajectory.steps]
    finally:
        store.close()
    assert steps
    assert all(step.loss == 0 for step in steps if step.provenance == "error")
    assert all(step.verdict is not None for step in steps if step.provenance in ("error", "student"))


def test_its_servers_are_gone(small_demo: tuple[Path, str]) -> None:
    assert not processes_marked(str(small_demo[0].parent))


def test_the_same_command_again_finds_everything_done(small_demo: tuple[Path, str]) -> None:
    folder, _ = small_demo
    before = load_results(folder)
    again = demo(folder.parent, *SMALL)
    assert again.returncode == 0, again.stderr
    after = load_results(folder)
    assert {name: arm.evaluations for name, arm in after.arms.items()} == {
        name: arm.evaluations for name, arm in before.arms.items()
    }


def test_another_recipe_may_not_use_the_folder(small_demo: tuple[Path, str]) -> None:
    done = demo(small_demo[0].parent, *SMALL, "seed=7")
    assert done.returncode == 1
    assert "begun with another seed" in done.stderr
