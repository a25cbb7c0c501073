"""Tiny checkpoints and an agent service in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.agent.app import create_app
from services.agent.settings import AgentSettings
from tests.support.tiny_model import tiny_checkpoint


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "first")


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "second", seed=7)


@pytest.fixture
async def app(first: Path) -> AsyncIterator[FastAPI]:
    application = create_app(AgentSettings(checkpoint=str(first), kv_mib=64, max_batch=8))
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as http:
        yield http
