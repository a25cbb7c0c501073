"""Whole reflected collections under a language model: over real HTTP, with all that goes wrong there, on real environments."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.envserver.app import create_app
from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.world import World
from shared.client import EnvironmentClient
from shared.environment import Environment
from shared.errors import RestepError
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.corridor import CorridorWorld
from tests.support.corridor_model import asked_for, corridor_model, question
from tests.support.live import live
from tests.support.model_server import Act, Cut, Hang, ModelServer, Refuse, Say, Script, model_server
from tests.support.scripted import Scripted
from trainer.collection import Collected, CollectionConfig
from trainer.golden import GoldenConfig, collect_golden
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.ledger import Spending
from trainer.teacher.options import TeacherOptions
from trainer.teacher.teachers import Teachers
from trainer.verify import verify_collection

RUN, GOLDEN = "reflected", "golden"
ONE_AT_A_TIME = CollectionConfig(concurrency=1)
LINES = ("go to room 1", "wait", "dance", "go to room 0", "go to room 2", "take lamp")


@asynccontextmanager
async def served(environment: Environment) -> AsyncGenerator[EnvironmentClient]:
    async with live(create_app(environment, EnvironmentSettings(expert=True))) as url, EnvironmentClient(url) as client:
        yield client


@pytest.fixture
async def corridor() -> AsyncGenerator[EnvironmentClient]:
    async with served(CorridorWorld()) as client:
        yield client


def options(server: ModelServer, **fields: Any) -> TeacherOptions:
    endpoint = server.options(**fields.pop("endpoint", {})).model_dump()
    return TeacherOptions.model_validate({"kind": "llm", "endpoint": endpoint} | fields)


async def collected(
    client: EnvironmentClient,
    folder: Path,
    teacher: TeacherOptions,
    lines: tuple[str, ...] = LINES,
    selection: TaskSelection | None = None,
    **fields: Any,
) -> tuple[Collected, Spending | None]:
    """What comes of the training tasks, and what it cost so far."""
    config = ReflectConfig.model_validate({"per_episode": 1.0, "per_position": 9} | fields)
    with store_in(folder) as store:
        teachers = Teachers(teacher, config.judge, store)
        try:
            chosen = await teachers.of(await client.info(), RUN, GOLDEN)
            tasks = await select_tasks(client, selection or TaskSelection())
            student = Scripted(*lines)
            done = await collect_reflected(RUN, tasks, client, student, chosen, store, EpisodeConfig(), config)
            return done, teachers.spending(RUN)
        finally:
            await teachers.close()


def store_in(folder: Path) -> TrajectoryStore:
    folder.mkdir(exist_ok=True)
    return TrajectoryStore(folder / "store.db")


def documents(folder: Path) -> list[dict[str, Any]]:
    with TrajectoryStore(folder / "store.db") as store:
        return [one.model_dump(mode="json", exclude={"created", "id"}) for one in store.trajectories(RUN)]


@pytest.mark.parametrize("judge", ["after", "before"])
@pytest.mark.parametrize("calls", ["two", "combined"])
async def test_a_model_that_is_right_repairs_every_error(
    corridor: EnvironmentClient, tmp_path: Path, calls: str, judge: str
) -> None:
    async with model_server(corridor_model) as server:
        done, spent = await collected(corridor, tmp_path, options(server, calls=calls), judge=judge)
    assert (done.finished, done.failed) == (done.total, 0)
    assert spent is not None
    assert spent.requests == len(server.bodies)
    for document in documents(tmp_path):
        made = [step for step in document["steps"] if step["provenance"] == "error"]
        repaired = [step for step in document["steps"] if step["provenance"] == "correction"]
        assert made
        assert len(made) - len(repaired) in (0, 1)
        assert all(step["verdict"]["judge"] == "llm:scripted default/v1" for step in made)
        assert {len(step["verdict"]["prompt_hash"]) for step in made} == {64}
        assert {step["verdict"]["judge"] for step in repaired} == {"expert:corridor 1"}
        assert {step["verdict"]["decision"] for step in repaired} == {"useful"}
    kinds = {asked_for(body) for body in server.bodies}
    assert kinds == ({"review"} if calls == "combined" else {"judgement", "correction"})
    with TrajectoryStore(tmp_path / "store.db") as store:
        assert await verify_collection(store, RUN, corridor.base_url) == done.finished


def unreliable() -> Script:
    """Every third request goes wrong, each time in another way; after that the model is right."""
    troubles: Iterator[Act] = iter(
        [Refuse(429, retry_after="0"), Say("I think so."), Cut(), Refuse(503), Hang(), Say('{"decision": "correct"}')] * 2
    )
    asked = 0

    def script(body: dict[str, Any]) -> Act:
        nonlocal asked
        asked += 1
        return next(troubles, corridor_model(body)) if asked % 3 == 0 else corridor_model(body)

    return script


async def test_an_unreliable_endpoint_gives_the_same_trajectories(corridor: EnvironmentClient, tmp_path: Path) -> None:
    async with model_server(corridor_model) as server:
        await collected(corridor, tmp_path / "steady", options(server))
    async with model_server(unreliable()) as server:
        patient = options(server, endpoint={"timeout": 1.0, "patience": 30.0})
        done, spent = await collected(corridor, tmp_path / "shaky", patient, collection=ONE_AT_A_TIME)
    assert done.failed == 0
    assert documents(tmp_path / "shaky") == documents(tmp_path / "steady")
    assert spent is not None
    assert (spent.failures, spent.malformed) == ({}, 4)
    assert spent.unanswered == 8
    assert spent.requests == len(server.bodies)


async def test_a_model_that_never_answers_in_form_gives_failures_and_no_verdicts(
    corridor: EnvironmentClient, tmp_path: Path
) -> None:
    async with model_server(lambda _: Say("All fine!")) as server:
        done, spent = await collected(corridor, tmp_path, options(server), collection=CollectionConfig(tries=2))
    assert (done.finished, done.failed) == (0, done.total)
    assert documents(tmp_path) == []
    assert spent is not None
    assert spent.failures == {"malformed_answer": 2 * done.total}
    with TrajectoryStore(tmp_path / "store.db") as store:
        assert {failure.code for failure in store.failures(RUN)} == {"malformed_answer"}


async def test_a_budget_stops_the_collection_and_a_higher_one_goes_on_where_it_stopped(
    corridor: EnvironmentClient, tmp_path: Path
) -> None:
    async with model_server(corridor_model) as server:
        await collected(corridor, tmp_path / "whole", options(server), collection=ONE_AT_A_TIME)
        paid = len(server.bodies)
        server.bodies.clear()
        small = options(server, budget={"tokens": 20 * 110})
        with pytest.raises(RestepError, match=r"budget_exhausted: .*2,200 of 2,200 tokens"):
            await collected(corridor, tmp_path / "parts", small, collection=ONE_AT_A_TIME)
        kept = documents(tmp_path / "parts")
        assert 0 < len(kept) < 8
        assert len(server.bodies) == 20
        large = options(server, budget={"tokens": 10**6})
        done, spent = await collected(corridor, tmp_path / "parts", large, collection=ONE_AT_A_TIME)
    assert (done.found, done.failed) == (len(kept), 0)
    assert documents(tmp_path / "parts") == documents(tmp_path / "whole")
    # What the broken episode had asked was answered from the cache: nothing is paid twice.
    assert len(server.bodies) == paid
    assert spent is not None
    assert spent.cache_hits > 0


async def test_a_wrong_correction_is_checked_and_not_believed(corridor: EnvironmentClient, tmp_path: Path) -> None:
    def hasty(body: dict[str, Any]) -> Act:
        if asked_for(body) == "correction" and "Action: wait" in question(body).split("## Latest step")[1]:
            return Say('{"reflection": "Waiting is slow.", "plan": "I dance.", "action": "dance"}')
        return corridor_model(body)

    async with model_server(hasty) as server:
        await collected(corridor, tmp_path, options(server))
    for document in documents(tmp_path):
        rejected = [step for step in document["steps"] if step["role"] == "teacher" and step["provenance"] == "error"]
        assert [step["action"] for step in rejected] == ["dance"]
        assert {(step["loss"], step["verdict"]["judge"]) for step in rejected} == {(0.0, "expert:corridor 1")}


@pytest.mark.parametrize(("reference", "told"), [("none", ""), ("golden", "From its beginning, the task was solved so: go to")])
async def test_a_golden_trajectory_is_a_private_reference(
    corridor: EnvironmentClient, tmp_path: Path, reference: str, told: str
) -> None:
    with TrajectoryStore(tmp_path / "store.db") as store:
        tasks = await select_tasks(corridor, TaskSelection())
        await collect_golden(GOLDEN, tasks, corridor, store, EpisodeConfig(), GoldenConfig())
    async with model_server(corridor_model) as server:
        await collected(corridor, tmp_path, options(server, reference=reference))
    shown = [body["messages"][-1]["content"].partition("## Private reference\n")[2] for body in server.bodies]
    assert all(text.startswith(told) and bool(text) == bool(told) for text in shown)
    assert "Private reference" not in orjson.dumps(documents(tmp_path)).decode()


def reader(body: dict[str, Any]) -> Say:
    """A model that knows nothing of shopping and believes its reference: what the expert would do is right."""
    text = question(body)
    ways = [line.partition("actions): ")[2].split("; ") for line in text.splitlines() if "an expert would go on so" in line]
    found = re.search(r"## Latest step\nThought: .*\nAction: (.*)", text)
    assert found is not None
    assert ways
    if asked_for(body) == "correction":
        return say(reflection="That was not it.", plan="I do what is needed next.", action=ways[-1][0])
    right = found[1] == ways[0][0]
    return say(reason="As the expert would." if right else "Not so.", decision="useful" if right else "needless")


def say(**fields: str) -> Say:
    return Say(orjson.dumps(fields).decode())


async def test_a_hybrid_in_the_embedded_shop(tmp_path: Path) -> None:
    """The student knows nothing; every step that counts is the teacher's, who is shown the expert's way."""
    lines = ("look at the shelves",) * 15
    environment = WebShop(lambda: World(open_stock(None)))
    async with served(environment) as client, model_server(reader) as server:
        hybrid = options(server, kind="hybrid")
        selection = TaskSelection(split="train", limit=4)
        done, spent = await collected(client, tmp_path, hybrid, lines, selection)
        with TrajectoryStore(tmp_path / "store.db") as store:
            assert await verify_collection(store, RUN, client.base_url) == 4
    assert (done.finished, done.succeeded, done.kept, done.failed) == (4, 4, 4, 0)
    assert spent is not None
    assert spent.failures == {}
    for document in documents(tmp_path):
        assert document["outcome"]["score"] == 1.0
        judges = {step["verdict"]["judge"] for step in document["steps"] if step["provenance"] == "error"}
        assert judges == {"llm:scripted webshop/v1"}
