"""The protocol, over real HTTP, against every environment: a new one adds a row to SUBJECTS and passes the same tests."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.support.server import ServerProcess

CAPACITY = 32


@dataclass(frozen=True)
class Subject:
    """An environment under test. ``actions`` are understood and do not end the episode; ``nonsense`` is neither."""

    name: str
    arguments: tuple[str, ...]
    task_id: str
    split: str
    actions: tuple[str, ...]
    slow_action: str
    options: dict[str, str] = field(default_factory=dict[str, str])
    nonsense: str = "frobnicate the unlikely"
    needs: str | None = None


_SERVE = """
import sys
from services.{0}.app import main
from shared.settings import EnvironmentSettings
sys.exit(main(EnvironmentSettings()))
"""

SUBJECTS = (
    Subject(
        name="cellar",
        arguments=("tests/support/cellar.py", "0"),
        task_id="cellar/1",
        split="train",
        actions=("go east", "take key", "go west", "go east", "wait"),
        slow_action="wait",
        options={"delay": "0.2"},
    ),
    Subject(
        name="sciworld",
        arguments=("-c", _SERVE.format("sciworld")),
        task_id="find-plant/3",
        split="test",
        actions=("look around", "inventory", "teleport to kitchen", "open cupboard", "look around"),
        slow_action="wait",
        options={"simplification": "easy"},
        needs="scienceworld",
    ),
    Subject(
        name="alfworld",
        arguments=("-c", _SERVE.format("alfworld")),
        task_id="embedded_train/look_at_obj_in_light-AlarmClock-None-DeskLamp-3004/trial_S1_1",
        split="embedded_train",
        actions=("look", "go to sidetable 2", "take alarmclock 1 from sidetable 2", "go to drawer 1", "open drawer 1"),
        slow_action="inventory",
        options={"action_style": "old", "goal": "game", "expert": "explorer"},
    ),
    Subject(
        name="webshop",
        arguments=("-c", _SERVE.format("webshop")),
        task_id="synthetic-3",
        split="test",
        actions=("search[tea]", "click[next >]", "search[shoes]", "click[back to search]", "search[lamp]"),
        slow_action="search[table]",
        options={"observation": "text_rich"},
        needs="rapidfuzz",
    ),
)


@pytest.fixture(scope="session", params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    chosen: Subject = request.param
    if chosen.needs is not None and importlib.util.find_spec(chosen.needs) is None:
        pytest.skip(f"{chosen.needs} is not installed")
    return chosen


@pytest.fixture(scope="session")
def server(subject: Subject) -> Generator[ServerProcess]:
    with ServerProcess(subject.arguments, {"RESTEP_WORKERS": "1", "RESTEP_CAPACITY": str(CAPACITY)}) as running:
        yield running


@pytest.fixture
async def client(server: ServerProcess) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        yield client
