"""What needs no cluster; tests/integration/distributed has the rest."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from shared.client import EnvironmentClient
from shared.errors import Problem, RestepError
from shared.store import TrajectoryStore
from tests.support.server import ROOT
from trainer.collection import Collected, CollectionConfig
from trainer.distributed import Actor, Here, RayCluster
from trainer.golden import GoldenConfig
from trainer.order import Order, store_address
from trainer.progress import Progress
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks
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
        books=folder / "golden.db",
    )


async def test_here_an_order_is_carried_out_in_this_process(corridor: EnvironmentClient, tmp_path: Path) -> None:
    told: list[Progress] = []
    collected = await Here().collect(await order(corridor, tmp_path), told.append)
    assert (collected.total, collected.kept, collected.failed, told[-1].completed) == (16, 16, 0, 16)
    with TrajectoryStore(tmp_path / "trajectories.db") as store:
        assert len(store.finished("golden/corridor")) == 16


async def test_an_actor_does_the_same_and_reads_its_own_codes_orders_only(corridor: EnvironmentClient, tmp_path: Path) -> None:
    pickled = pickle.dumps(await order(corridor, tmp_path))
    refused = await Actor().run("0.0.1+abc", b"of another version")
    assert isinstance(refused, Problem)
    assert (refused.code, "0.0.1+abc" in refused.detail) == ("code_differs", True)
    done = await Actor().run(code_version(), pickled)
    assert isinstance(done, Collected)
    assert done.finished == 16


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
