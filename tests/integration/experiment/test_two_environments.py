"""A whole experiment in two environments over real HTTP, with a real agent and real training of a tiny model."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console

from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from shared.errors import RestepError
from shared.react import Layout, prompt_version
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.cellar import Cellar
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint
from tests.support.waiting import until
from trainer.experiment import Experiment
from trainer.finetune import load_card
from trainer.folder import STORE_FILE
from trainer.recipe import Recipe
from trainer.results import Results, load_results

pytestmark = pytest.mark.slow
PLACES = ["corridor", "cellar"]
COLLECTIONS = [
    *(f"golden/{place}" for place in PLACES),
    *(f"reflected/{place}" for place in PLACES),
    *(f"evaluation/{arm}/{place}" for arm in ("golden", "step") for place in PLACES),
]
Servers = dict[str, str]


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncGenerator[Servers]:
    """Addresses of both environments and of an agent, and the checkpoint it serves."""
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny", context=4096))
    settings = EnvironmentSettings(expert=True)
    async with (
        live(create_app(CorridorWorld(), settings)) as corridor,
        live(create_app(Cellar(), settings)) as cellar,
        live(create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=64))) as agent,
    ):
        yield {"corridor": corridor, "cellar": cellar, "agent": agent, "checkpoint": checkpoint}


def recipe(servers: Servers, **cellar: Any) -> Recipe:
    """Two arms. Corrections are free: a student of random weights gets to the goal by them alone."""
    few: dict[str, Any] = {"evaluation_tasks": {"limit": 2, "split": "test"}}
    return Recipe.model_validate(
        {
            "name": "two",
            "base": servers["checkpoint"],
            "environments": {
                "corridor": {"url": servers["corridor"], "tasks": {"limit": 6}, **few},
                "cellar": {"url": servers["cellar"], **few, **cellar},
            },
            "agent": {"url": servers["agent"]},
            "sampling": {"temperature": 1.0, "max_new_tokens": 6, "logprobs": False},
            "reflected": {"per_episode": 1.0, "per_position": 20},
            "finetune": {"epochs": 1, "learning_rate": 1e-3, "pack_tokens": 2048, "batch_tokens": 4096},
            "arms": {"golden": {"data": ["golden_u1"]}, "step": {"data": ["golden_u1", "reflected_u2"]}},
            "student": "golden",
            "reference": "golden",
            "evaluation": {"sampling": {"max_new_tokens": 6, "logprobs": False}, "bootstrap": {"resamples": 200}},
            "evaluate_base": False,
        }
    )


async def run(chosen: Recipe, runs: Path) -> tuple[Results, str]:
    """The results, and what was printed."""
    console = Console(width=160, file=io.StringIO(), record=True)
    async with Experiment(chosen, runs, console) as experiment:
        results = await experiment.run()
    return results, console.export_text()


def contents(runs: Path) -> dict[str, list[tuple[str, int, bool, str]]]:
    """Every collection's units."""
    with TrajectoryStore(runs / "two" / STORE_FILE) as store:
        assert store.runs() == sorted(COLLECTIONS)
        return {
            run: [(unit.task_id, unit.attempt, unit.kept, unit.trajectory_id) for unit in store.units(run)]
            for run in COLLECTIONS
        }


@pytest.mark.parametrize("layout", get_args(Layout))
async def test_every_arm_learns_from_both_and_is_evaluated_in_both(servers: Servers, tmp_path: Path, layout: Layout) -> None:
    chosen = recipe(servers)
    reflected = chosen.reflected.model_copy(update={"layout": layout})
    results, printed = await run(chosen.model_copy(update={"reflected": reflected}), tmp_path)
    held = contents(tmp_path)
    assert load_results(tmp_path / "two") == results
    for place in PLACES:
        tasks, collections = results.environments[place].tasks, results.environments[place].collections
        assert list(collections) == [f"golden/{place}", f"reflected/{place}"]
        assert {unit[0] for unit in held[f"golden/{place}"]} == {*tasks["U1"], *tasks["U2"]}
        assert {unit[0] for unit in held[f"reflected/{place}"]} == {*tasks["U2"]}
        assert len(tasks["evaluation"]) == 2
        assert not {*tasks["evaluation"]} & {*tasks["U1"], *tasks["U2"]}
        assert f"golden trajectories, {place}" in printed
        assert f"evaluating step, {place}" in printed
        assert f"{place}, split test, 2 tasks" in printed
        assert results.environments[place].protocol.prompt_version == prompt_version(layout)
    assert f"prompt {prompt_version(layout)}, greedy" in " ".join(printed.split())
    for arm in results.arms.values():
        assert all(count > 0 for counts in arm.data.values() for count in counts.values())
        assert arm.training is not None
        assert arm.training.trajectories == sum(count for counts in arm.data.values() for count in counts.values())
        assert list(arm.evaluations) == PLACES
        assert arm.average.score.n == 4
    page = (tmp_path / "two" / "report.html").read_text()
    assert all(f'<section id="{place}">' in page for place in PLACES)


async def test_an_interrupted_experiment_goes_on_to_the_same_end(servers: Servers, tmp_path: Path) -> None:
    chosen = recipe(servers)
    await run(chosen, tmp_path / "unbroken")
    async with Experiment(chosen, tmp_path / "broken", Console(file=io.StringIO())) as experiment:
        running = asyncio.create_task(experiment.run())
        async with asyncio.timeout(120):
            await until(lambda: experiment.store.counts("reflected/cellar").finished)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert "evaluation/step/cellar" not in experiment.store.runs()
    await run(chosen, tmp_path / "broken")
    assert contents(tmp_path / "broken") == contents(tmp_path / "unbroken")
    whole, resumed = (load_results(tmp_path / name / "two") for name in ("unbroken", "broken"))
    assert resumed.environments == whole.environments
    for name, arm in whole.arms.items():
        assert resumed.arms[name].evaluations == arm.evaluations
        assert resumed.arms[name].average == arm.average


async def test_a_finished_experiment_plays_nothing_again_wherever_its_servers_are(servers: Servers, tmp_path: Path) -> None:
    first, _ = await run(recipe(servers), tmp_path)
    before = contents(tmp_path)
    moved = create_app(Cellar(), EnvironmentSettings(expert=True))
    async with live(moved) as url:
        again, _ = await run(recipe({**servers, "cellar": url}), tmp_path)
    assert contents(tmp_path) == before
    assert again.arms == first.arms


async def test_a_source_that_is_empty_in_one_environment_is_a_warning(servers: Servers, tmp_path: Path) -> None:
    # Two actions reach the nearest key; with a correction after each error they are four.
    results, printed = await run(recipe(servers, episode={"max_steps": 3}), tmp_path)
    assert "step: no reflected_u2 trajectory of cellar was kept; it trains without" in printed
    assert results.arms["step"].data["reflected_u2"]["cellar"] == 0
    assert results.arms["step"].data["reflected_u2"]["corridor"] > 0
    assert results.environments["cellar"].protocol.max_steps == 3
    assert results.environments["corridor"].protocol.max_steps == 12


async def test_a_source_that_is_empty_everywhere_is_an_error(servers: Servers, tmp_path: Path) -> None:
    async with Experiment(recipe(servers), tmp_path, Console(file=io.StringIO())) as experiment:
        await experiment.golden()
        await experiment.train("golden")
        with pytest.raises(RestepError, match="no reflected_u2 trajectory of corridor, cellar was kept") as caught:
            await experiment.train("step")
    assert caught.value.code == "data_not_found"


async def test_an_arm_is_trained_on_as_many_trained_tokens_as_the_one_it_is_matched_to(
    servers: Servers, tmp_path: Path
) -> None:
    arms = {
        "golden": {"data": ["golden_u1"], "matched": "all"},
        "all": {"data": ["golden_u1", "golden_u2"], "weights": {"normalisation": "turn"}},
    }
    small = {"batch_tokens": 512, "pack_tokens": 512}
    chosen = recipe(servers)
    fields = chosen.model_dump() | {"arms": arms, "finetune": chosen.finetune.model_dump() | small}
    async with Experiment(Recipe.model_validate(fields), tmp_path, Console(file=io.StringIO())) as experiment:
        await experiment.golden()
        matched = await experiment.train("golden")
        example = load_card(experiment.folder.arm("all"))
    assert example is not None
    assert example.trained_tokens > matched.trained_tokens
    assert matched.epochs == pytest.approx(example.trained_tokens_seen / matched.trained_tokens)
    largest = max(line["trained_tokens"] for line in matched.curve)
    assert abs(matched.trained_tokens_seen - example.trained_tokens_seen) <= 2 * largest
