from __future__ import annotations

import asyncio

import pytest

from services.envserver.limits import MAX_ACTION_CHARS
from services.envserver.service import Service
from shared.environment import Environment
from shared.errors import RestepError
from shared.protocol import BatchItem, BatchStep, CreateSession, StepRequest
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar
from tests.support.waiting import until

WIN = ["go east", "take key", "go west", "open door"]


async def begin(service: Service, *names: str) -> None:
    for name in names:
        await service.sessions.create(name, CreateSession(task_id="cellar/1"))


def steps(*asked: tuple[str, int, str]) -> list[BatchStep]:
    return [BatchStep(session_id=name, seq=seq, action=action) for name, seq, action in asked]


def codes(items: list[BatchItem]) -> list[str]:
    return [item.problem.code if item.problem else "ok" for item in items]


async def test_a_batch_runs_sessions_at_once_and_answers_in_order(service: Service, cellar: Cellar) -> None:
    await begin(service, "a", "b", "c")
    cellar.gate = asyncio.Event()
    batch = asyncio.create_task(service.batch(steps(("a", 1, "go east"), ("b", 1, "wait"), ("c", 1, "drink"))))
    await until(lambda: cellar.running == 3)
    cellar.gate.set()
    items = await batch
    assert [item.session_id for item in items] == ["a", "b", "c"]
    assert [item.result.done for item in items if item.result] == [False, False, True]


async def test_steps_of_one_session_in_a_batch_run_by_number(service: Service) -> None:
    await begin(service, "a")
    items = await service.batch(steps(*[("a", seq, WIN[seq - 1]) for seq in (3, 1, 4, 2)]))
    assert [item.result.seq for item in items if item.result] == [3, 1, 4, 2]
    assert items[2].result is not None
    assert items[2].result.success


async def test_every_step_of_a_batch_has_its_own_problem(service: Service) -> None:
    await begin(service, "a", "b", "c")
    await service.sessions.close("c")
    asked = [
        ("a", 1, "go east"),
        ("a", 1, "go east"),
        ("a", 3, "take key"),
        ("b", 1, "trip over a bug"),
        ("c", 1, "go east"),
        ("d", 1, "go east"),
        ("b", 1, "x" * (MAX_ACTION_CHARS + 1)),
    ]
    items = await service.batch(steps(*asked))
    expected = ["ok", "ok", "step_gap", "internal", "session_gone", "session_not_found", "action_too_large"]
    assert codes(items) == expected
    assert items[0].result == items[1].result
    assert items[3].problem is not None
    assert "secret" not in items[3].problem.model_dump_json()
    assert service.work.pending == 0


async def test_the_queue_is_bounded_item_by_item(service: Service, cellar: Cellar) -> None:
    await begin(service, "a")
    items = await service.batch(steps(*[("a", seq, "wait") for seq in range(1, 11)]))
    assert codes(items) == ["ok"] * 8 + ["queue_full"] * 2
    assert all(item.problem.retry_after for item in items if item.problem)
    cellar.gate = asyncio.Event()
    held = asyncio.create_task(service.batch(steps(*[("a", seq, "wait") for seq in range(9, 17)])))
    await asyncio.sleep(0)
    with pytest.raises(RestepError) as caught:
        await service.step("a", StepRequest(seq=9, action="wait"))
    assert caught.value.code == "queue_full"
    cellar.gate.set()
    assert codes(await held) == ["ok"] * 8
    assert (await service.step("a", StepRequest(seq=9, action="wait"))).seq == 9


async def test_a_batch_outlives_its_caller(service: Service, cellar: Cellar) -> None:
    await begin(service, "a")
    cellar.gate = asyncio.Event()
    caller = asyncio.create_task(service.batch(steps(("a", 1, "go east"), ("a", 2, "take key"))))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    cellar.gate.set()
    await service.work.drained(1)
    assert cellar.executed == WIN[:2]
    assert service.work.pending == 0


async def test_draining_finishes_what_runs_and_refuses_the_rest(service: Service, cellar: Cellar) -> None:
    await begin(service, "a")
    cellar.gate = asyncio.Event()
    running = asyncio.create_task(service.step("a", StepRequest(seq=1, action="go east")))
    await asyncio.sleep(0.01)
    draining = asyncio.create_task(service.drain())
    await asyncio.sleep(0)
    with pytest.raises(RestepError, match="draining"):
        service.ready()
    with pytest.raises(RestepError) as caught:
        await service.step("a", StepRequest(seq=2, action="take key"))
    assert caught.value.code == "draining"
    assert codes(await service.batch(steps(("a", 2, "take key")))) == ["draining"]
    assert not draining.done()
    cellar.gate.set()
    await draining
    assert (await running).seq == 1


async def test_draining_is_bounded(cellar: Cellar) -> None:
    service = Service(cellar, EnvironmentSettings(drain_seconds=0.05))
    service.begin()
    await service.started()
    await begin(service, "a")
    cellar.gate = asyncio.Event()
    stuck = asyncio.create_task(service.step("a", StepRequest(seq=1, action="go east")))
    await asyncio.sleep(0.01)
    await service.drain()
    await service.stop()
    assert isinstance((await asyncio.gather(stuck, return_exceptions=True))[0], asyncio.CancelledError)
    assert cellar.open_episodes == 0
    assert not cellar.running_engine


async def test_a_failing_start_is_told(cellar: Cellar) -> None:
    class Broken(Cellar):
        async def start(self) -> None:
            raise RestepError("data_not_found", "no cellar here")

    environment: Environment = Broken()
    service = Service(environment, EnvironmentSettings())
    service.begin()
    with pytest.raises(RestepError, match="no cellar here"):
        await service.started()
    with pytest.raises(RestepError, match="not_ready"):
        service.ready()
    await service.stop()


async def test_capabilities_are_what_this_server_offers(service: Service, cellar: Cellar) -> None:
    assert service.info().capabilities == ["admissible_actions", "expert", "fork"]
    assert service.info().capacity == 4
    assert Service(cellar, EnvironmentSettings()).info().capabilities == ["admissible_actions", "fork"]
