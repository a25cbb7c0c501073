"""Asking an agent service while another checkpoint is being loaded."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from fastapi import FastAPI

from services.agent.app import create_app
from services.agent.backends.base import Served
from services.agent.settings import AgentSettings
from shared.client.agent import AgentClient
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint
from tests.support.waiting import until
from tests.unit.shared.client.conftest import QUICK

PROMPT = [1, 5, 9]


class Slow:
    """A service's loading, whose answer is held back after the new checkpoint is served."""

    def __init__(self, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loaded: list[str] = []
        self.answer = asyncio.Event()
        self._load = app.state.service.backend.load
        monkeypatch.setattr(app.state.service.backend, "load", self)

    async def __call__(self, source: str) -> Served:
        served: Served = await self._load(source)
        self.loaded.append(source)
        await self.answer.wait()
        return served


@pytest.mark.parametrize("servers", [1, 2])
async def test_who_asks_during_a_load_is_answered_after_it(
    servers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new checkpoint is served before the load has returned: nobody may have the old one loaded again meanwhile."""
    monkeypatch.setattr("shared.client.watch.WATCH_SECONDS", 0.05)
    plain, other = (str(tiny_checkpoint(tmp_path / name, seed=seed)) for name, seed in (("plain", 0), ("other", 1)))
    apps = [create_app(AgentSettings(checkpoint=plain, kv_mib=64)) for _ in range(servers)]
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(live(app)) for app in apps]
        client = await stack.enter_async_context(AgentClient(urls, retry=QUICK))
        before = (await client.load(plain)).model
        slow = [Slow(app, monkeypatch) for app in apps]
        loading = asyncio.create_task(client.load(other))
        await until(lambda: all(one.loaded for one in slow))
        asking = [asyncio.create_task(client.act(PROMPT)) for _ in range(4)]
        inquiring = asyncio.create_task(client.info())
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in (*asking, inquiring)), "neither checkpoint is what was asked for"
        for one in slow:
            one.answer.set()
        after = (await loading).model
        assert after != before
        assert {turn.model for turn in await asyncio.gather(*asking)} == {(await inquiring).model} == {after}
        assert [one.loaded for one in slow] == [[other]] * servers


async def test_a_load_that_fails_leaves_the_old_one_to_who_asked_meanwhile(tmp_path: Path) -> None:
    plain = str(tiny_checkpoint(tmp_path / "plain"))
    async with live(create_app(AgentSettings(checkpoint=plain, kv_mib=64))) as url, AgentClient(url, retry=QUICK) as client:
        before = (await client.load(plain)).model
        results = await asyncio.gather(client.load(str(tmp_path / "absent")), client.act(PROMPT), return_exceptions=True)
        assert [str(results[0])[:20], getattr(results[1], "model", None)] == ["checkpoint_not_found", before]
