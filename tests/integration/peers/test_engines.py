"""What the three benchmarks' own engines answer, written as it is published, is read and replayed to the same trajectories."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.alfworld.direct import DirectEngine
from services.alfworld.environment import AlfWorld
from services.alfworld.library import open_library
from services.envserver.app import create_app
from services.sciworld.environment import SciWorld
from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.world import World
from shared.client import EnvironmentClient
from shared.environment import Environment
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from tests.support.live import live
from tests.support.published import as_agentgym, as_eto
from trainer.golden import GoldenConfig, collect_golden
from trainer.peers.conversation import Entry
from trainer.peers.intake import ImportConfig, Intake, Target, import_entries
from trainer.peers.task_finder import ETO_SCIWORLD_TASKS, TaskFinder
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.verify import verify_collection

Body = dict[str, Any]


async def round_trip(
    world: Environment,
    tasks: TaskSelection,
    options: Mapping[str, str],
    publish: Callable[[Trajectory], Body],
    path: Path,
    *,
    imported_with: Mapping[str, str] | None = None,
) -> tuple[Intake, list[Trajectory], list[Trajectory]]:
    """Golden trajectories, published and imported: the outcome, and what was and what is."""
    episode = EpisodeConfig(options=dict(options))
    async with (
        live(create_app(world, EnvironmentSettings(expert=True))) as url,
        EnvironmentClient(url) as client,
    ):
        with TrajectoryStore(path / "store.db") as store:
            chosen = await select_tasks(client, tasks)
            await collect_golden("golden", chosen, client, store, episode, GoldenConfig())
            played = list(store.trajectories("golden", kept=True))
            entries = [Entry(path, number, publish(one)) for number, one in enumerate(played, start=1)]
            again = episode if imported_with is None else EpisodeConfig(options=dict(imported_with))
            finder = await TaskFinder.open(client, {})
            intake = await import_entries(
                entries, client, finder, store, Target("imported", None, again, "none"), ImportConfig()
            )
            imported = list(store.trajectories("imported", kept=True))
            if imported:
                assert await verify_collection(store, "imported", url) == len(imported)
    return intake, played, imported


def same(played: list[Trajectory], imported: list[Trajectory]) -> bool:
    """Equal but for the author."""
    return [one.model_dump(exclude={"id", "run", "created", "steps"}) for one in played] == [
        one.model_dump(exclude={"id", "run", "created", "steps"}) for one in imported
    ] and [step.model_dump(exclude={"author"}) for one in played for step in one.steps] == [
        step.model_dump(exclude={"author"}) for one in imported for step in one.steps
    ]


def alfworld() -> AlfWorld:
    return AlfWorld(lambda: open_library(None), DirectEngine())


def without_arrivals(trajectory: Trajectory) -> Trajectory:
    """As both collections' clients show it: without ``You arrive at loc 7.``"""
    steps = [
        step.model_copy(update={"observation": re.sub(r"^You arrive at loc \d+\. ", "", step.observation or "")})
        for step in trajectory.steps
    ]
    return trajectory.model_copy(update={"steps": steps})


def alfworld_agentgym(trajectory: Trajectory) -> Body:
    _, task, trial = trajectory.task.id.split("/")
    return as_agentgym(without_arrivals(trajectory), f"{task}_{trial}", listed=True)


def alfworld_eto(trajectory: Trajectory) -> Body:
    split, task, trial = trajectory.task.id.split("/")
    return as_eto(without_arrivals(trajectory), id=0, game_file=f"data/json_2.1.1/{split}/{task}/{trial}/game.tw-pddl")


OLD = {"action_style": "old"}
FEW = TaskSelection(split="embedded_train", per_type=2)


@pytest.mark.parametrize("publish", [alfworld_agentgym, alfworld_eto])
async def test_alfworld_in_the_older_wording(publish: Callable[[Trajectory], Body], tmp_path: Path) -> None:
    intake, played, imported = await round_trip(alfworld(), FEW, OLD, publish, tmp_path)
    assert intake.refused == []
    assert len(imported) == 12
    assert same(played, imported)
    assert any(step.action and step.action.startswith("put ") for one in imported for step in one.steps)


async def test_alfworld_in_the_wrong_wording_is_refused_with_a_hint(tmp_path: Path) -> None:
    few = TaskSelection(split="embedded_train", types=["pick_and_place_simple"], limit=2)
    intake, _, imported = await round_trip(alfworld(), few, OLD, alfworld_eto, tmp_path, imported_with={})
    assert imported == []
    assert {refusal.error.code for refusal in intake.refused} == {"replay_diverged"}
    assert all(r.error.detail.endswith("such data was played with action_style='old'") for r in intake.refused)


async def test_webshop(tmp_path: Path) -> None:
    def publish(trajectory: Trajectory) -> Body:
        body = as_agentgym(trajectory, f"webshop_{trajectory.task.id.removeprefix('synthetic-')}")
        body["conversations"][2]["value"] = trajectory.observation  # the start page alone, which states the goal
        return body

    world = WebShop(lambda: World(open_stock(None)))
    intake, played, imported = await round_trip(world, TaskSelection(split="train", limit=6), {}, publish, tmp_path)
    assert intake.refused == []
    assert len(imported) == 6
    assert same(played, imported)


async def test_sciworld(tmp_path: Path) -> None:
    def publish(trajectory: Trajectory) -> Body:
        kind, variation = trajectory.task.id.split("/")
        name = f"{ETO_SCIWORLD_TASKS.index(kind)}_{variation}"
        return as_eto(trajectory, opening=trajectory.task.goal, id=name, reward=1.0)

    tasks = TaskSelection(split="train", types=["find-plant", "find-animal"], per_type=2)
    easy = {"simplification": "easy"}
    intake, played, imported = await round_trip(SciWorld(workers=1), tasks, easy, publish, tmp_path)
    assert intake.refused == []
    assert len(imported) == 4
    assert same(played, imported)
