from __future__ import annotations

import asyncio

import pytest

from services.envserver import sessions as sessions_module
from services.envserver.service import Service
from services.envserver.session import RECOVERIES
from shared.errors import RestepError
from shared.protocol import CreateSession, ForkRequest
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar
from tests.support.waiting import until
from tests.unit.services.envserver.conftest import Clock

NEAR = CreateSession(task_id="cellar/1")


async def code_of(awaitable: object) -> str:
    with pytest.raises(RestepError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.code


async def test_creation_is_idempotent(service: Service, cellar: Cellar) -> None:
    first, new = await service.sessions.create("a", NEAR)
    again, new_again = await service.sessions.create("a", NEAR)
    assert (new, new_again) == (True, False)
    assert first is again
    assert cellar.resets == 1


async def test_concurrent_creations_of_one_id_make_one_session(service: Service, cellar: Cellar) -> None:
    made = await asyncio.gather(*[service.sessions.create("a", NEAR) for _ in range(5)])
    assert len({id(session) for session, _ in made}) == 1
    assert sum(new for _, new in made) == 1
    assert cellar.resets == 1


async def test_the_same_task_named_twice_is_the_same_episode(service: Service) -> None:
    session, _ = await service.sessions.create("a", NEAR)
    again, _ = await service.sessions.create("a", CreateSession(split="train", index=1, options={"delay": "0"}, max_steps=20))
    assert again is session


@pytest.mark.parametrize(
    "other",
    [{"task_id": "cellar/2"}, {"seed": 1}, {"max_steps": 3}, {"options": {"delay": "1"}}, {"include": ["admissible_actions"]}],
    ids=lambda other: next(iter(other)),
)
async def test_an_id_in_use_for_another_episode_is_a_conflict(service: Service, other: dict[str, object]) -> None:
    await service.sessions.create("a", NEAR)
    changed = CreateSession.model_validate({"task_id": "cellar/1", **other})
    assert await code_of(service.sessions.create("a", changed)) == "session_conflict"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"task_id": "cellar/99"}, "unknown_task"),
        ({"split": "train", "index": 12}, "unknown_task"),
        ({"split": "nowhere", "index": 0}, "unknown_split"),
        ({}, "invalid_request"),
        ({"task_id": "cellar/1", "split": "train", "index": 1}, "invalid_request"),
        ({"split": "train"}, "invalid_request"),
        ({"task_id": "cellar/1", "options": {"colour": "red"}}, "invalid_option"),
    ],
)
async def test_a_wrong_creation_leaves_nothing_behind(service: Service, asked: dict[str, object], code: str) -> None:
    assert await code_of(service.sessions.create("a", CreateSession.model_validate(asked))) == code
    assert len(service.sessions) == 0
    await service.sessions.create("a", NEAR)


async def test_a_creation_that_fails_frees_its_id(service: Service, cellar: Cellar) -> None:
    cellar.losses = RECOVERIES + 1
    results = await asyncio.gather(*[service.sessions.create("a", NEAR) for _ in range(2)], return_exceptions=True)
    assert [getattr(result, "code", None) for result in results] == ["engine_lost", "engine_lost"]
    assert len(service.sessions) == 0
    _, new = await service.sessions.create("a", NEAR)
    assert new


async def test_a_creation_survives_its_caller(service: Service, cellar: Cellar) -> None:
    caller = asyncio.create_task(service.sessions.create("a", NEAR))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    session, new = await service.sessions.create("a", NEAR)
    assert not new
    assert session.observation
    assert cellar.resets == 1


async def test_capacity_is_a_limit_and_a_closed_session_frees_its_place(service: Service) -> None:
    for name in "abcd":
        await service.sessions.create(name, NEAR)
    with pytest.raises(RestepError) as caught:
        await service.sessions.create("e", NEAR)
    assert caught.value.code == "over_capacity"
    assert caught.value.retry_after
    assert await code_of(service.sessions.fork("a", ForkRequest())) == "over_capacity"
    await service.sessions.create("a", NEAR)  # the one it has is no new one
    await service.sessions.close("b")
    await service.sessions.create("e", NEAR)


async def test_no_more_sessions_are_opened_at_once_than_the_engine_begins_in_time(service: Service, cellar: Cellar) -> None:
    cellar.opening_limit = 2
    made = await asyncio.gather(*(service.sessions.create(name, NEAR) for name in "aabc"), return_exceptions=True)
    refused = [each for each in made if isinstance(each, RestepError)]
    assert [(error.code, error.retry_after is not None) for error in refused] == [("queue_full", True)]
    assert len(service.sessions) == 2
    await service.sessions.create("c", NEAR)


async def test_an_expired_lease_makes_room_and_answers_gone(service: Service, clock: Clock, cellar: Cellar) -> None:
    for name in "abcd":
        await service.sessions.create(name, NEAR)
    clock.now += 59
    await service.sessions.get("a")
    clock.now += 1
    await service.sessions.create("e", NEAR)
    assert await code_of(service.sessions.get("b")) == "session_gone"
    assert await code_of(service.sessions.create("b", NEAR)) == "session_gone"
    await service.sessions.get("a")
    assert service.tally.sessions_expired == 3
    await service.work.drained(1)
    assert cellar.open_episodes == 2


async def test_a_lease_never_ends_in_the_middle_of_a_step(service: Service, clock: Clock, cellar: Cellar) -> None:
    session, _ = await service.sessions.create("a", NEAR)
    cellar.gate = asyncio.Event()
    running = asyncio.create_task(session.step(1, "go east"))
    await asyncio.sleep(0)
    clock.now += 1000
    assert service.sessions.reap() == 0
    cellar.gate.set()
    await running
    clock.now += 59
    assert service.sessions.reap() == 0  # the lease runs from the end of the step
    clock.now += 1
    assert service.sessions.reap() == 1


async def test_the_reaper_works_by_itself(cellar: Cellar) -> None:
    service = Service(cellar, EnvironmentSettings(lease_seconds=0.05))
    service.begin()
    await service.started()
    await service.sessions.create("a", NEAR)
    await until(lambda: not len(service.sessions))
    await service.stop()
    assert cellar.open_episodes == 0


async def test_leases_are_reaped_after_fifteen_minutes_by_default() -> None:
    assert EnvironmentSettings().lease_seconds == 900


async def test_gone_is_told_from_unknown_and_its_memory_is_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "TOMBSTONES", 2)
    for name in ("a", "b", "c"):
        await service.sessions.create(name, NEAR)
        await service.sessions.close(name)
    assert await code_of(service.sessions.get("c")) == "session_gone"
    assert await code_of(service.sessions.get("b")) == "session_gone"
    assert await code_of(service.sessions.get("a")) == "session_not_found"
    assert await code_of(service.sessions.get("never")) == "session_not_found"


async def test_closing_is_idempotent_and_unknown_ids_are_no_error(service: Service, cellar: Cellar) -> None:
    await service.sessions.create("a", NEAR)
    for name in ("a", "a", "never"):
        await service.sessions.close(name)
    assert cellar.open_episodes == 0
    assert service.tally.sessions_closed == 1


async def test_closing_a_session_in_the_making_leaks_nothing(service: Service, cellar: Cellar) -> None:
    creating = asyncio.create_task(service.sessions.create("a", NEAR))
    await asyncio.sleep(0)
    await service.sessions.close("a")
    await asyncio.gather(creating, return_exceptions=True)
    assert cellar.open_episodes == 0
    assert await code_of(service.sessions.get("a")) == "session_gone"


@pytest.mark.parametrize("at_seq", [0, 1, 2, 3, None])
async def test_a_fork_is_independent_and_in_the_same_state(service: Service, at_seq: int | None) -> None:
    source, _ = await service.sessions.create("a", NEAR)
    actions = ["go east", "take key", "go west"]
    for seq, action in enumerate(actions, 1):
        await source.step(seq, action)
    fork, new = await service.sessions.fork("a", ForkRequest(at_seq=at_seq))
    assert fork.id.startswith("a.")
    kept = 3 if at_seq is None else at_seq
    assert new
    assert fork.results == source.results[:kept]
    await fork.step(kept + 1, "drink")
    assert fork.over
    assert not source.over
    assert (await source.step(4, "open door")).success


async def test_a_fork_of_a_fork_and_of_an_ended_episode(service: Service) -> None:
    source, _ = await service.sessions.create("a", NEAR)
    for seq, action in enumerate(["go east", "take key", "go west", "open door"], 1):
        await source.step(seq, action)
    ended, _ = await service.sessions.fork("a", ForkRequest(session_id="b"))
    assert ended.over
    second, _ = await service.sessions.fork("b", ForkRequest(at_seq=3))
    assert (await second.step(4, "open door")).success


async def test_forking_is_idempotent_by_id(service: Service) -> None:
    source, _ = await service.sessions.create("a", NEAR)
    await source.step(1, "go east")
    fork, _ = await service.sessions.fork("a", ForkRequest(session_id="b", at_seq=1))
    again, new = await service.sessions.fork("a", ForkRequest(session_id="b", at_seq=1))
    assert again is fork
    assert not new
    assert await code_of(service.sessions.fork("a", ForkRequest(session_id="b", at_seq=0))) == "session_conflict"
    assert await code_of(service.sessions.create("b", NEAR)) == "session_conflict"
    await service.sessions.close("a")
    assert await service.sessions.fork("a", ForkRequest(session_id="b", at_seq=1)) == (fork, False)


async def test_a_fork_needs_its_source_and_its_state(service: Service) -> None:
    await service.sessions.create("a", NEAR)
    assert await code_of(service.sessions.fork("never", ForkRequest())) == "session_not_found"
    assert await code_of(service.sessions.fork("a", ForkRequest(at_seq=1))) == "step_gap"


async def test_a_fork_whose_replay_diverges_is_refused(service: Service, cellar: Cellar) -> None:
    source, _ = await service.sessions.create("a", NEAR)
    await source.step(1, "go east")
    cellar.salt = " Something changed."
    assert await code_of(service.sessions.fork("a", ForkRequest(session_id="b"))) == "replay_diverged"
    assert len(service.sessions) == 1
    assert service.tally.replays_diverged == 1


async def test_a_fork_inherits_the_advice_on_its_states_only(service: Service, cellar: Cellar) -> None:
    source, _ = await service.sessions.create("a", NEAR)
    await source.advice()
    await source.step(1, "drink")
    await source.advice()
    fork, _ = await service.sessions.fork("a", ForkRequest(at_seq=0))
    await fork.advice()
    assert cellar.expert_calls == 2
    await fork.step(1, "go east")
    advice = await fork.advice()
    assert advice.verdict is not None
    assert advice.verdict.decision == "useful"


async def test_listing_pages_in_the_order_of_creation(service: Service) -> None:
    for name in "abc":
        await service.sessions.create(name, NEAR)
    assert [session.id for session in service.sessions.page(1, 5)] == ["b", "c"]
    assert [session.id for session in service.sessions.page(0, 1)] == ["a"]
    assert service.sessions.page(9, 5) == []


async def test_draining_takes_no_new_sessions(service: Service) -> None:
    await service.sessions.create("a", NEAR)
    await service.drain()
    assert await code_of(service.sessions.create("b", NEAR)) == "draining"
    assert await code_of(service.sessions.fork("a", ForkRequest())) == "draining"
    _, new = await service.sessions.create("a", NEAR)
    assert not new


async def test_stopping_gives_every_engine_back(service: Service, cellar: Cellar) -> None:
    for name in "abc":
        await service.sessions.create(name, NEAR)
    await service.stop()
    assert cellar.open_episodes == 0
    assert not cellar.running_engine


async def test_one_client_cannot_take_all_the_sessions(cellar: Cellar, clock: Clock) -> None:
    service = Service(cellar, EnvironmentSettings(capacity=4, sessions_per_client=2, lease_seconds=60), clock)
    service.begin()
    await service.started()
    sessions = service.sessions
    for name in "ab":
        await sessions.create(name, NEAR, "ann")
    with pytest.raises(RestepError) as caught:
        await sessions.create("c", NEAR, "ann")
    assert (caught.value.code, caught.value.retryable, caught.value.retry_after) == ("too_many_sessions", True, 5.0)
    assert await code_of(sessions.fork("a", ForkRequest(), "ann")) == "too_many_sessions"
    await sessions.create("a", NEAR, "ann")  # the one it has is no new one
    await sessions.create("c", NEAR, "bob")
    await sessions.fork("a", ForkRequest(session_id="d"), "bob")  # it counts for who asked
    assert await code_of(sessions.create("e", NEAR, "bob")) == "over_capacity"
    await sessions.close("a")
    await sessions.create("e", NEAR, "ann")
    clock.now += 61
    await sessions.create("f", NEAR, "ann")  # leases that ran out make room
    cellar.losses = RECOVERIES + 1
    assert await code_of(sessions.create("g", NEAR, "ann")) == "engine_lost"
    await sessions.create("g", NEAR, "ann")  # one that failed is not held
    await service.stop()
