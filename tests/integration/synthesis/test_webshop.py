"""The whole synthesis in the shop that comes with restep, with a real model behind the agent service (random weights)."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.world import World
from shared.client import EnvironmentClient
from shared.client.agent import AgentClient
from shared.protocol import ERROR_DECISIONS
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base
from trainer.collection import CollectionConfig
from trainer.golden import GoldenConfig, collect_golden
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.render import Renderer
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.student import Student
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.expert import ExpertTeacher
from trainer.verify import verify_collection

EPISODE = EpisodeConfig(max_steps=15)
SAMPLING = SamplingConfig(max_new_tokens=12, temperature=1.0)
FEW = CollectionConfig(concurrency=4)


@pytest.fixture
async def webshop() -> AsyncGenerator[EnvironmentClient]:
    environment = WebShop(lambda: World(open_stock(None)))
    async with live(create_app(environment, EnvironmentSettings(expert=True))) as url, EnvironmentClient(url) as client:
        yield client


@pytest.fixture
async def student(tmp_path: Path) -> AsyncGenerator[Student]:
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny", context=8192))
    renderer = Renderer.from_tokenizer(open_base(checkpoint).tokenizer)
    async with live(create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=128))) as url, AgentClient(url) as agent:
        yield Student(agent, renderer, SAMPLING)


async def test_golden_and_reflected_episodes_of_the_embedded_shop(
    webshop: EnvironmentClient, student: Student, tmp_path: Path
) -> None:
    tasks = await select_tasks(webshop, TaskSelection(split="train", limit=14))
    info = await webshop.info()
    teacher = ExpertTeacher(info.name, info.engine_version)
    with TrajectoryStore(tmp_path / "store.db") as store:
        golden = await collect_golden("golden", tasks[:10], webshop, store, EPISODE, GoldenConfig(collection=FEW))
        assert (golden.kept, golden.failed) == (10, 0)
        for trajectory in store.trajectories("golden", kept=True):
            assert trajectory.outcome.success
            assert trajectory.outcome.score == 1.0
            assert all(step.thought.endswith(".") for step in trajectory.steps)

        config = ReflectConfig(collection=FEW, per_episode=1.0)
        reflected = await collect_reflected("reflected", tasks[10:], webshop, student, teacher, store, EPISODE, config)
        assert (reflected.finished, reflected.failed) == (4, 0)
        for trajectory in store.trajectories("reflected"):
            decisions = {step.verdict.decision for step in trajectory.steps if step.verdict}
            assert decisions <= ERROR_DECISIONS
            assert any(step.provenance == "correction" for step in trajectory.steps)

        for run in ("golden", "reflected"):
            assert await verify_collection(store, run, webshop.base_url) == len(store.units(run))
