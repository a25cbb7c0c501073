"""The whole synthesis on the real simulator with a real model behind the agent service (random weights, so always wrong)."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from services.sciworld.environment import SciWorld
from shared.client import EnvironmentClient
from shared.client.agent import AgentClient
from shared.protocol import ERROR_DECISIONS
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base
from trainer.collection import CollectionConfig
from trainer.evaluate import EvaluateConfig, evaluate
from trainer.golden import GoldenConfig, collect_golden
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.render import Renderer
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.split import SplitConfig, split_tasks
from trainer.student import Student
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.expert import ExpertTeacher
from trainer.verify import verify_collection

EPISODE = EpisodeConfig(max_steps=15, options={"simplification": "easy"})
SAMPLING = SamplingConfig(max_new_tokens=12, temperature=1.0)
FEW = CollectionConfig(concurrency=4)
KINDS = ["find-living-thing", "lifespan-longest-lived"]


@pytest.fixture
async def sciworld() -> AsyncGenerator[EnvironmentClient]:
    settings = EnvironmentSettings(expert=True, workers=1)
    async with live(create_app(SciWorld(workers=1), settings)) as url, EnvironmentClient(url) as client:
        yield client


@pytest.fixture
async def student(tmp_path: Path) -> AsyncGenerator[Student]:
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny", context=4096))
    renderer = Renderer.from_tokenizer(open_base(checkpoint).tokenizer)
    async with live(create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=64))) as url, AgentClient(url) as agent:
        yield Student(agent, renderer, SAMPLING)


@pytest.mark.slow
async def test_golden_reflected_and_evaluation_episodes_of_the_real_simulator(
    sciworld: EnvironmentClient, student: Student, tmp_path: Path
) -> None:
    tasks = await select_tasks(sciworld, TaskSelection(types=KINDS, per_type=2))
    u1, u2 = split_tasks(tasks, SplitConfig())
    assert u1
    assert u2
    info = await sciworld.info()
    teacher = ExpertTeacher(info.name, info.engine_version)
    with TrajectoryStore(tmp_path / "store.db") as store:
        golden = await collect_golden("golden", u1, sciworld, store, EPISODE, GoldenConfig(collection=FEW))
        assert (golden.kept, golden.failed) == (len(u1), 0)
        for trajectory in store.trajectories("golden", kept=True):
            assert trajectory.outcome.score == 1.0
            assert all(step.thought.endswith((".", "?")) for step in trajectory.steps)

        config = ReflectConfig(collection=FEW, per_episode=1.0)
        reflected = await collect_reflected("reflected", u2, sciworld, student, teacher, store, EPISODE, config)
        assert (reflected.finished, reflected.failed) == (len(u2), 0)
        for trajectory in store.trajectories("reflected"):
            decisions = {step.verdict.decision for step in trajectory.steps if step.verdict}
            assert decisions <= ERROR_DECISIONS
            corrections = [step for step in trajectory.steps if step.provenance == "correction"]
            assert corrections
            assert trajectory.outcome.success == (trajectory.outcome.score == 1.0)

        held_out = await select_tasks(sciworld, TaskSelection(split="test", types=KINDS[:1], per_type=1))
        config = EvaluateConfig(collection=FEW, sampling=SAMPLING)
        result = await evaluate("evaluation", held_out, sciworld, student, store, EPISODE, config)
        assert (result.episodes, result.missing) == (1, [])
        assert result.metrics["invalid_share"].mean > 0.5
        assert result.protocol.environment.engine_version == info.engine_version

        for run in ("golden", "reflected", "evaluation"):
            assert await verify_collection(store, run, sciworld.base_url) == len(store.units(run))
