"""Real servers with real engines, the collections that faults are to meet on them, and the same collections unbroken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import yaml

from shared.store import TrajectoryStore
from tests.support.mortal import Mortal
from tests.support.run_plan import Plan, carry_out
from tests.support.tiny_model import tiny_checkpoint
from trainer.rollout import EpisodeConfig
from trainer.shipped import NAME, locate
from trainer.tasks import TaskSelection

Unbroken = Callable[[Plan], TrajectoryStore]


@pytest.fixture(scope="session")
def alfworld() -> Generator[Mortal]:
    with Mortal("alfworld", "--expert") as server:
        yield server


@pytest.fixture(scope="session")
def sciworld() -> Generator[Mortal]:
    with Mortal("sciworld", "--expert", "--workers", "2") as server:
        yield server


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mortal]:
    """The embedded back end, with room for two requests; it begins with another checkpoint than is asked for later."""
    other = tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "other", context=2048)
    settings = {"RESTEP_MAX_BATCH": "1", "RESTEP_QUEUE": "1"}
    with Mortal("agent", "--checkpoint", str(other), settings=settings) as server:
        yield server


@pytest.fixture
def houses(alfworld: Mortal, tmp_path: Path) -> Plan:
    """Golden episodes in ALFWorld: a moment each."""
    tasks = TaskSelection(split="embedded_train", per_type=2)
    return Plan(store=str(tmp_path / "run.db"), environment=alfworld.url, tasks=tasks)


@pytest.fixture
def laboratory(sciworld: Mortal, tmp_path: Path) -> Plan:
    """Golden episodes in ScienceWorld: a second each."""
    return Plan(
        store=str(tmp_path / "run.db"),
        environment=sciworld.url,
        tasks=TaskSelection(types=["find-living-thing", "find-plant"], per_type=3),
        episode=EpisodeConfig(max_steps=20, options={"simplification": "easy"}),
    )


@pytest.fixture
def lessons(alfworld: Mortal, agent: Mortal, tmp_path: Path) -> Plan:
    """Reflected episodes of the shipped student in ALFWorld, sampled at temperature 1."""
    return Plan(
        store=str(tmp_path / "run.db"),
        environment=alfworld.url,
        agent=agent.url,
        checkpoint=locate(NAME),
        tasks=TaskSelection(split="embedded_train", limit=4),
        episode=EpisodeConfig(max_steps=5),
        attempts=2,
    )


def recipe_of(plan: Plan, folder: Path, **fields: object) -> Path:
    """A recipe whose golden collection is the plan's; without an address its server is started by the command.

    ``fields`` are laid over it.
    """
    tasks = plan.tasks.model_dump(exclude_defaults=True)
    place = {"data": "embedded", "tasks": tasks, "evaluation_tasks": {"split": "embedded_unseen"}}
    recipe = {
        "name": "faults",
        "environments": {"alfworld": {**place, **({"url": plan.environment} if plan.environment else {})}},
        "golden": {"collection": {"concurrency": plan.concurrency}},
        "student": "one",
        "reference": "one",
        "arms": {"one": {"data": ["golden_u1"]}},
        **fields,
    }
    path = folder / "faults.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unbroken]:
    """What a collection gives that nothing happens to, one episode after the other; carried out once."""
    folder, stores = tmp_path_factory.mktemp("unbroken"), dict[str, TrajectoryStore]()

    def of(plan: Plan) -> TrajectoryStore:
        what = plan.model_dump_json(include={"tasks", "episode", "attempts", "checkpoint"})
        if what not in stores:
            path = folder / f"{len(stores)}.db"
            asyncio.run(carry_out(plan.into(path).model_copy(update={"concurrency": 1})))
            stores[what] = TrajectoryStore(path)
        return stores[what]

    yield of
    for store in stores.values():
        store.close()
