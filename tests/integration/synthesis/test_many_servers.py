"""A collection over several servers: what one of them held goes on at the others, and nothing can be told from the result."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.client import EnvironmentClient, RetryPolicy
from shared.store import TrajectoryStore
from tests.support.process import CellarProcess
from trainer.collection import CollectionConfig
from trainer.golden import GoldenConfig, collect_golden
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks

ATTEMPTS, CONCURRENCY = 3, 12


async def collect(urls: Sequence[str], store: TrajectoryStore) -> None:
    config = GoldenConfig(collection=CollectionConfig(attempts=ATTEMPTS, concurrency=CONCURRENCY))
    async with EnvironmentClient(urls, retry=RetryPolicy(elsewhere=0.5)) as environment:
        tasks = await select_tasks(environment, TaskSelection(split="train"))
        await collect_golden("run", tasks, environment, store, EpisodeConfig(), config)


def contents(store: TrajectoryStore) -> list[tuple[str, int, bool, str]]:
    return [(unit.task_id, unit.attempt, unit.kept, unit.trajectory_id) for unit in store.units("run")]


@pytest.mark.slow
async def test_a_server_killed_in_the_middle_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(CellarProcess(expert=True)) for _ in range(3)]
        broken, unbroken = (stack.enter_context(TrajectoryStore(tmp_path / name)) for name in ("broken.db", "unbroken.db"))
        collecting = asyncio.create_task(collect([server.url for server in servers], broken))
        while len(broken.finished("run")) < CONCURRENCY:
            assert not collecting.done(), "it ended before a server could be killed"
            await asyncio.sleep(0.02)
        servers[1].kill()
        await collecting
        assert broken.failures("run") == []
        assert "was lost; replayed" in caplog.text
        await collect([servers[0].url], unbroken)
        assert contents(broken) == contents(unbroken)
        assert len(contents(broken)) > CONCURRENCY
