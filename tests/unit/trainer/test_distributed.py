"""What needs no cluster; tests/integration/distributed has the rest."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from shared.client import EnvironmentClient
from shared.errors import Problem, RestepError
from shared.store import TrajectoryStore
from tests.support.live import live
from tests.support.model_server import Say, model_server
from tests.support.server import ROOT
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base
from trainer.collection import Collected, CollectionConfig
from trainer.distributed import Actor, Here, RayCluster
from trainer.evaluate import EvaluateConfig
from trainer.golden import GoldenConfig
from trainer.order import Order, StudentOrder, TeacherOrder, store_address
from trainer.progress import Progress
from trainer.reflect import ReflectConfig
from trainer.render import Renderer
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.ledger import GOLDEN, Ledger
from trainer.teacher.options import Budget, TeacherOptions
from trainer.versions import code_version


async def order(corridor: EnvironmentClient, folder: Path) -> Order:
    return Order(
        run="golden/corridor",
        tasks=tuple(await select_tasks(corridor, TaskSelection(split="train"))),
        episode=EpisodeConfig(),
        layout="turn",
        config=GoldenConfig(collection=CollectionConfig(attempts=2)),
        store=store_address(f"sqlite:///{folder / 'trajectories.db'}"),
        namespace=None,
        environment=corridor.urls,
        student=None,
        teacher=None,
    )


async def test_here_an_order_is_carried_out_in_this_process(corridor: EnvironmentClient, tmp_path: Path) -> None:
    told: list[Progress] = []
    collected = await Here().collect(await order(corridor, tmp_path), told.append)
    assert (collected.total, collected.kept, collected.failed, told[-1].completed) == (16, 16, 0, 16)
    with TrajectoryStore(tmp_path / "trajectories.db") as store:
        assert len(store.finished("golden/corridor")) == 16


async def test_an_actor_does_the_same_and_reads_its_own_codes_orders_only(corridor: EnvironmentClient, tmp_path: Path) -> None:
    actor = Actor()
    assert await actor.differs(code_version()) is None
    refused = await actor.differs("0.0.1+abc")
    assert isinstance(refused, Problem)
    assert (refused.code, "0.0.1+abc" in refused.detail) == ("code_differs", True)
    done = await actor.run(pickle.loads(pickle.dumps(await order(corridor, tmp_path))))  # as it comes to another machine
    assert isinstance(done, Collected)
    assert done.finished == 16


@pytest.mark.parametrize("config", [EvaluateConfig(), ReflectConfig()])
async def test_an_actor_has_a_student_play(
    config: EvaluateConfig | ReflectConfig, corridor: EnvironmentClient, tmp_path: Path
) -> None:
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny", context=2048))
    async with live(create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=64))) as url:
        sampling = SamplingConfig(max_new_tokens=4, logprobs=False)
        student = StudentOrder((url,), checkpoint, Renderer.from_tokenizer(open_base(checkpoint).tokenizer), sampling)
        teacher = TeacherOrder(TeacherOptions(), "golden/corridor")
        asked = replace(await order(corridor, tmp_path), run="played", config=config, student=student, teacher=teacher)
        asked = replace(asked, tasks=asked.tasks[:2], episode=EpisodeConfig(max_steps=3))
        done = await Actor().run(pickle.loads(pickle.dumps(asked)))
    assert isinstance(done, Collected)
    assert (done.finished, done.failed) == (2, 0)
    with asked.open_store() as store:
        steps = [step for one in store.trajectories("played") for step in one.steps if step.role == "student"]
    assert {step.author.partition("@")[0] for step in steps} == {"tiny"}


async def test_actors_share_the_budget_of_a_golden_model(corridor: EnvironmentClient, place: str) -> None:
    alone, budget = CollectionConfig(concurrency=1), Budget(tokens=5 * 110)
    async with model_server(lambda _: Say("Thought: On.\nAction: wait")) as model:
        config = GoldenConfig(player="endpoint", endpoint=model.options(), budget=budget, collection=alone)
        asked = replace(await order(corridor, Path("nowhere")), store=place, config=config)
        ended = await asyncio.gather(*(Actor().run(pickle.loads(pickle.dumps(asked))) for _ in range(2)))
    assert [one.code for one in ended if isinstance(one, Problem)] == ["budget_exhausted"] * 2
    assert len(model.bodies) in (5, 6), "the other's may be in flight when the budget is spent"
    with asked.open_store() as store:
        assert Ledger(store.books(GOLDEN)).spending().tokens == 110 * len(model.bodies)


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RestepError, match=r"restep\[ray\]") as caught, RayCluster("auto"):
        pass
    assert caught.value.code == "missing_extra"


def test_where_no_cluster_listens_it_is_said_at_once() -> None:
    pytest.importorskip("ray", reason="restep[ray] is not installed")
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9"):
        with pytest.raises(RestepError, match=f"--ray {address}: .*refused") as caught, RayCluster(address):
            pass
        assert caught.value.code == "unreachable"


def test_a_worker_of_an_expert_needs_no_pytorch() -> None:
    program = "import sys, trainer.distributed; print(sorted({'torch', 'transformers', 'ray'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
