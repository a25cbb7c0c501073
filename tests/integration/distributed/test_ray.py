"""Collections on a real Ray cluster: the same trajectories as in process, whatever dies in between."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.environment import EngineStep
from shared.errors import RestepError
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.corridor import CorridorEpisode, CorridorWorld
from tests.support.corridor_model import corridor_model
from tests.support.live import live
from tests.support.model_server import ModelServer, model_server
from tests.support.postgres import PostgresServer
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base
from trainer.collection import CollectionConfig
from trainer.distributed import Executor, Here, RayCluster
from trainer.golden import GoldenConfig
from trainer.order import Order, StudentOrder, TeacherOrder, store_address
from trainer.progress import Progress
from trainer.recipe import read_recipe
from trainer.reflect import ReflectConfig
from trainer.render import Renderer
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.ledger import TEACHER, Ledger
from trainer.teacher.options import TeacherOptions
from trainer.teacher.prompts import load_prompts
from trainer.workplace import Workplace

pytest.importorskip("ray", reason="restep[ray] is not installed")
from ray.cluster_utils import Cluster

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
ATTEMPTS = 6
UNITS = 8 * ATTEMPTS
ANSWER = 110
"""Tokens of one of the model's."""


class Unhurried(CorridorWorld):
    """A corridor in which a step takes a moment, so that a collection can be met in its middle."""

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> CorridorEpisode:
        del seed, options

        class Slowly(CorridorEpisode):
            async def step(self, action: str) -> EngineStep:
                await asyncio.sleep(0.05)
                return await super().step(action)

        return Slowly(int(self.task(task_id).id.split("/")[1]))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One node on this machine; a test may add another."""
    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        yield made
    finally:
        made.shutdown()


@pytest.fixture(scope="module")
def ray(cluster: Any) -> Iterator[RayCluster]:
    with RayCluster(cluster.address, 2) as connected:
        yield connected


@pytest.fixture
async def server() -> AsyncGenerator[str]:
    async with live(create_app(Unhurried(), EnvironmentSettings(expert=True))) as url:
        yield url


async def order(server: str, store: Path, **collection: int) -> Order:
    async with EnvironmentClient(server) as environment:
        tasks = await select_tasks(environment, TaskSelection(split="train"))
    config = CollectionConfig.model_validate({"attempts": ATTEMPTS, "concurrency": 4} | collection)
    return Order(
        run="golden/corridor",
        tasks=tuple(tasks),
        episode=EpisodeConfig(),
        layout="turn",
        config=GoldenConfig(collection=config),
        store=store_address(f"sqlite:///{store}"),
        namespace=None,
        environment=(server,),
        student=None,
        teacher=None,
    )


def recipe(server: str | None) -> dict[str, Any]:
    return {
        "name": "far",
        "environments": {"corridor": {"url": server, "tasks": {"split": "train"}}},
        "golden": {"collection": {"attempts": ATTEMPTS, "concurrency": 4}},
        "arms": {"one": {"data": ["golden_u1"]}},
        "student": "one",
        "reference": "one",
    }


def contents(path: Path) -> list[tuple[str, int, bool, str]]:
    with TrajectoryStore(path) as store:
        return contents_of(store)


def contents_of(store: TrajectoryStore) -> list[tuple[str, int, bool, str]]:
    assert store.failures("golden/corridor") == []
    return [(unit.task_id, unit.attempt, unit.kept, unit.trajectory_id) for unit in store.units("golden/corridor")]


async def unbroken(server: str, folder: Path) -> list[tuple[str, int, bool, str]]:
    here: Executor = Here()
    await here.collect(await order(server, folder / "here.db", concurrency=24))
    return contents(folder / "here.db")


def actors() -> list[psutil.Process]:
    """Actors of this test's cluster that are at work: descendants of this process."""
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any("ray::Actor" in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


async def until_finished(path: Path, units: int, process: Process | asyncio.Task[Any]) -> None:
    with TrajectoryStore(path) as store:
        while len(store.finished("golden/corridor")) < units:
            ended = process.done() if isinstance(process, asyncio.Task) else process.returncode is not None
            assert not ended, "it ended before it could be met in its middle"
            await asyncio.sleep(0.05)


async def test_actors_collect_what_one_process_does(ray: RayCluster, server: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    collected = await ray.collect(await order(server, tmp_path / "ray.db"), told.append)
    assert (collected.total, collected.failed) == (UNITS, 0)
    assert contents(tmp_path / "ray.db") == await unbroken(server, tmp_path)
    assert told[0].total == UNITS


async def test_an_actor_killed_in_the_middle_costs_nothing(ray: RayCluster, server: str, tmp_path: Path) -> None:
    path = tmp_path / "ray.db"
    collecting = asyncio.create_task(ray.collect(await order(server, path)))
    await until_finished(path, 6, collecting)
    working = actors()
    assert len(working) == 2, "each of them is at work"
    working[0].kill()
    await collecting
    assert contents(path) == await unbroken(server, tmp_path)


async def test_an_error_of_an_actor_is_the_drivers(ray: RayCluster, tmp_path: Path) -> None:
    async with live(create_app(CorridorWorld(), EnvironmentSettings())) as no_expert:
        with pytest.raises(RestepError) as caught:
            await ray.collect(await order(no_expert, tmp_path / "ray.db"))
    assert caught.value.code == "expert_disabled"


async def test_another_version_of_the_code_is_refused(
    ray: RayCluster, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.distributed.code_version", lambda: "0.0.1+aaaaaaaaaaaa")
    with pytest.raises(RestepError, match=r"0\.0\.1") as caught:
        await ray.collect(await order(server, tmp_path / "ray.db"))
    assert caught.value.code == "code_differs"


async def test_a_driver_killed_in_the_middle_goes_on_by_the_same_command(
    ray: RayCluster, cluster: Any, server: str, tmp_path: Path
) -> None:
    (tmp_path / "far.yaml").write_text(yaml.safe_dump(recipe(server)))
    command = ["collect", "golden", str(tmp_path / "far.yaml"), "--runs", str(tmp_path), "--ray", cluster.address]
    store = tmp_path / "far" / "trajectories.db"

    async def start() -> Process:
        arguments = ["-m", "trainer.cli", *command, "--ray-actors", "2"]
        return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=PIPE, stderr=PIPE)

    driver = await start()
    while not store.exists():
        assert driver.returncode is None
        await asyncio.sleep(0.1)
    await until_finished(store, 6, driver)
    driver.kill()
    await driver.communicate()
    again = await start()
    _, said = await again.communicate()
    assert again.returncode == 0, said.decode()
    assert contents(store) == await unbroken(server, tmp_path)


@asynccontextmanager
async def second_node(cluster: Any, ray: RayCluster) -> AsyncGenerator[None]:
    """For the time of the block, with no actor at work yet, so that the next ones are spread over both nodes."""
    assert ray.machines == 1
    node = cluster.add_node(num_cpus=1)
    try:
        while ray.machines < 2:  # noqa: ASYNC110 - the cluster tells nobody
            await asyncio.sleep(0.1)
        for idle in actors():
            idle.kill()
        yield
    finally:
        cluster.remove_node(node)


async def test_several_nodes_share_a_run_in_postgresql_and_no_file(
    ray: RayCluster, cluster: Any, server: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    async with second_node(cluster, ray):
        with pytest.raises(RestepError, match=r"trajectories\.db is a file.* 2 nodes") as caught:
            await ray.collect(await order(server, tmp_path / "trajectories.db"))
        assert caught.value.code == "invalid_recipe"
        place = Workplace(read_recipe(recipe(None)), tmp_path, ray.machines)
        with pytest.raises(RestepError, match=r"environments\.corridor\.url: .* 2 machines") as caught:
            await place.environments()
        assert caught.value.code == "invalid_recipe"
        shared = replace(await order(server, tmp_path / "none.db"), store=postgres.new_schema(), namespace="far")
        collecting = asyncio.create_task(ray.collect(shared))
        with shared.open_store() as store:
            while len(store.finished(shared.run)) < 6:
                assert not collecting.done(), "it ended before it could be met in its middle"
                await asyncio.sleep(0.05)
            assert len({actor.ppid() for actor in actors()}) == 2
            await collecting
            assert contents_of(store) == await unbroken(server, tmp_path)


async def taught(server: str, agent: str, checkpoint: str, model: ModelServer, tokens: int | None) -> Order:
    """Under a language model, which wants a key."""
    options: dict[str, Any] = {"kind": "llm", "endpoint": model.options(key_file=Path(checkpoint) / "key")}
    teacher = TeacherOptions.model_validate(options | {"budget": {"tokens": tokens}})
    sampling = SamplingConfig(max_new_tokens=4, logprobs=False)
    return replace(
        await order(server, Path("none.db")),
        run="reflected/corridor",
        episode=EpisodeConfig(max_steps=3),
        config=ReflectConfig.model_validate({"per_episode": 1.0, "per_position": 9, "collection": {"concurrency": 1}}),
        student=StudentOrder((agent,), checkpoint, Renderer.from_tokenizer(open_base(checkpoint).tokenizer), sampling),
        teacher=TeacherOrder(teacher, "golden/corridor", load_prompts("corridor")),
    )


async def test_a_language_model_teaches_on_several_nodes_within_one_budget(
    ray: RayCluster, cluster: Any, server: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny", context=2048))
    (tmp_path / "tiny" / "key").write_text("secret")
    place = {"store": postgres.new_schema(), "namespace": "far"}
    async with (
        second_node(cluster, ray),
        live(create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=64))) as agent,
        model_server(corridor_model) as model,
    ):
        made = await taught(server, agent, checkpoint, model, tokens=5 * ANSWER)
        with pytest.raises(RestepError, match=r"is a file.* 2 nodes"):
            await ray.collect(replace(made, store=f"sqlite:///{tmp_path}/none.db"))
        with pytest.raises(RestepError, match="budget_exhausted"):
            await ray.collect(replace(made, **place))
        assert len({actor.ppid() for actor in actors()}) == 2
        paid = len(model.bodies)
        assert 5 <= paid <= 6, "one of each actor's may be in flight when the budget is spent"
        done = await ray.collect(replace(await taught(server, agent, checkpoint, model, tokens=None), **place))
    assert (done.total, done.found + done.finished, done.failed) == (8, 8, 0)
    assert set(model.keys) == {"Bearer secret"}
    with replace(made, **place).open_store() as store:
        booked = Ledger(store.books(TEACHER)).spending().tokens // ANSWER
    assert booked in (len(model.bodies), len(model.bodies) - 1), "an actor that is stopped may leave one in flight"
