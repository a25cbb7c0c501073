from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.envserver.replay import Plan
from services.envserver.service import Service
from services.envserver.session import RECOVERIES, Host, Session, Tally
from services.envserver.work import Work
from shared.errors import RestepError
from shared.protocol import CreateSession, StepResult, observation_hash
from tests.support.cellar import Cellar, CellarEpisode

WIN = ["go east", "take key", "go west", "open door"]


async def begin(service: Service, task: str = "cellar/1", **asked: object) -> Session:
    session, _ = await service.sessions.create(None, CreateSession.model_validate({"task_id": task, **asked}))
    return session


async def play(session: Session, actions: list[str]) -> list[StepResult]:
    first = len(session.results)
    return [await session.step(first + seq, action) for seq, action in enumerate(actions, 1)]


async def refusal(session: Session, seq: int, action: str) -> str:
    with pytest.raises(RestepError) as caught:
        await session.step(seq, action)
    return caught.value.code


async def test_an_episode_is_played_to_its_end(service: Service) -> None:
    session = await begin(service)
    results = await play(session, WIN)
    assert [result.score for result in results] == [0.0, 0.5, 0.5, 1.0]
    assert [result.reward for result in results] == [0.0, 0.5, 0.0, 0.5]
    assert [result.done for result in results] == [False, False, False, True]
    assert results[-1].success
    assert not results[-1].truncated
    assert results[1].observation_hash == observation_hash(results[1].observation)
    assert session.view(60).score == 1.0
    assert session.history(60).steps == results


async def test_a_repeated_step_is_answered_from_the_record(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    first, second, *_ = await play(session, WIN)
    assert await session.step(1, "go east") == first
    assert await session.step(2, "take key") == second
    assert cellar.executed == WIN
    assert service.tally.recorded_answers == 2


async def test_another_action_for_an_executed_step_is_a_conflict(service: Service) -> None:
    session = await begin(service)
    await play(session, WIN)
    assert await refusal(session, 2, "drop key") == "step_conflict"


async def test_a_gap_is_refused(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    assert await refusal(session, 2, "go east") == "step_gap"
    assert cellar.executed == []


async def test_no_step_follows_the_end_but_the_record_stays_readable(service: Service) -> None:
    session = await begin(service)
    results = await play(session, WIN)
    assert await refusal(session, 5, "go east") == "episode_over"
    assert await refusal(session, 9, "go east") == "episode_over"
    assert await session.step(4, "open door") == results[-1]


async def test_the_step_limit_truncates_and_ends(service: Service) -> None:
    session = await begin(service, max_steps=2)
    results = await play(session, ["go east", "gibberish"])
    assert [result.truncated for result in results] == [False, True]
    assert not results[1].done
    assert not results[1].valid
    assert await refusal(session, 3, "go west") == "episode_over"
    assert session.view(60).truncated


async def test_an_end_on_the_last_step_is_done_not_truncated(service: Service) -> None:
    results = await play(await begin(service, max_steps=4), WIN)
    assert results[-1].done
    assert not results[-1].truncated


async def test_concurrent_duplicates_execute_once(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    cellar.gate = asyncio.Event()
    calls = [asyncio.create_task(session.step(1, "go east")) for _ in range(5)]
    await asyncio.sleep(0)
    cellar.gate.set()
    results = await asyncio.gather(*calls)
    assert cellar.executed == ["go east"]
    assert all(result == results[0] for result in results)


async def test_steps_of_one_session_never_overlap(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    cellar.gate = asyncio.Event()
    calls = [asyncio.create_task(session.step(seq, action)) for seq, action in enumerate(WIN, 1)]
    await asyncio.sleep(0)
    cellar.gate.set()
    assert (await asyncio.gather(*calls))[-1].success
    assert cellar.most_running == 1


async def test_a_lost_engine_is_replayed_and_the_step_retried(service: Service, cellar: Cellar) -> None:
    alone = await play(await begin(service), WIN)
    session = await begin(service)
    results = await play(session, WIN[:3])
    cellar.crash()
    results.append(await session.step(4, WIN[3]))
    assert results == alone
    assert service.tally.engines_lost == 1
    assert service.tally.replays == 1


async def test_an_engine_that_dies_while_recovering_is_replaced_again(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    await play(session, WIN[:3])
    cellar.crash()
    cellar.losses = RECOVERIES - 1
    assert (await session.step(4, WIN[3])).success


async def test_recovery_is_bounded_and_costs_no_finished_step(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    before = await play(session, WIN[:2])
    assert await refusal(session, 3, "break engine") == "engine_lost"
    assert session.results == before
    assert (await session.step(3, "go west")).seq == 3


async def test_a_divergence_is_reported_and_logged(service: Service, cellar: Cellar, caplog: pytest.LogCaptureFixture) -> None:
    session = await begin(service)
    await play(session, WIN[:2])
    cellar.crash()
    cellar.salt = " Something changed."
    with caplog.at_level(logging.ERROR):
        assert await refusal(session, 3, "go west") == "replay_diverged"
    assert "replay diverged" in caplog.text
    assert service.tally.replays_diverged == 1
    await service.work.drained(1)
    assert cellar.open_episodes == 0


async def test_an_unforeseen_exception_costs_only_the_step(service: Service) -> None:
    session = await begin(service)
    await play(session, WIN[:1])
    with pytest.raises(ZeroDivisionError):
        await session.step(2, "trip over a bug")
    assert (await session.step(2, "take key")).score == 0.5


async def test_a_hanging_engine_times_out_and_the_session_goes_on(cellar: Cellar) -> None:
    host = Host(cellar, Work(8), Tally(), 0.05, 1000, asyncio.get_running_loop().time)
    session = Session("s", Plan(cellar.task("cellar/1"), 0, 20, {"delay": "0"}, frozenset()), host)
    await session.open()
    cellar.gate = asyncio.Event()
    assert await refusal(session, 1, "go east") == "timeout"
    cellar.gate = None
    assert (await session.step(1, "go east")).seq == 1
    await host.work.drained(1)


async def test_a_session_keeps_only_so_much_text(cellar: Cellar) -> None:
    host = Host(cellar, Work(8), Tally(), 5.0, 100, asyncio.get_running_loop().time)
    session = Session("s", Plan(cellar.task("cellar/1"), 0, 1000, {"delay": "0"}, frozenset()), host)
    await session.open()
    seq = 1
    while sum(len(result.action) + len(result.observation) for result in session.results) < 100:
        await session.step(seq, "go east")
        seq += 1
    assert await refusal(session, seq, "go east") == "history_full"
    last = session.results[-1]
    assert await session.step(seq - 1, "go east") == last  # what was answered can be asked for again
    fork = Session("t", session.plan, host, prefix=session, at_seq=len(session.results))
    await fork.open()
    assert await refusal(fork, seq, "go east") == "history_full"


async def test_a_caller_that_leaves_neither_loses_nor_doubles_the_step(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    cellar.gate = asyncio.Event()
    caller = asyncio.create_task(service.work.run(lambda: session.step(1, "go east")))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    cellar.gate.set()
    assert (await session.step(1, "go east")).seq == 1
    assert cellar.executed == ["go east"]


async def test_closing_waits_for_the_running_step(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    cellar.gate = asyncio.Event()
    running = asyncio.create_task(session.step(1, "go east"))
    waiting = asyncio.create_task(session.step(2, "take key"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(service.sessions.close(session.id))
    await asyncio.sleep(0)
    assert not closing.done()
    cellar.gate.set()
    await closing
    assert (await running).seq == 1
    assert (await waiting).seq == 2
    assert cellar.open_episodes == 0
    assert await refusal(session, 3, "go west") == "session_gone"


async def test_admissible_actions_follow_the_include_of_session_and_step(service: Service) -> None:
    session = await begin(service)
    assert (await session.step(1, "go east")).admissible_actions is None
    assert "take key" in ((await session.step(2, "wait", ["admissible_actions"])).admissible_actions or [])
    always = await begin(service, include=["admissible_actions"])
    assert always.view(60).admissible_actions == ["go east", "go west", "wait", "drink"]
    assert "take key" in ((await always.step(1, "go east")).admissible_actions or [])


async def test_admissible_actions_of_a_past_state_are_right(service: Service) -> None:
    session = await begin(service, include=["admissible_actions"])
    answers = await play(session, WIN)
    again = [await session.step(seq, action) for seq, action in enumerate(WIN, 1)]
    assert again == answers
    assert answers[0].admissible_actions != answers[2].admissible_actions


async def test_admissible_actions_survive_a_lost_engine(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    await session.step(1, "go east")
    cellar.crash()
    assert "take key" in ((await session.step(1, "go east", ["admissible_actions"])).admissible_actions or [])


@pytest.mark.parametrize("hanging", ["step", "admissible_actions"])
async def test_an_engine_that_hangs_over_a_past_state_is_a_timeout(monkeypatch: pytest.MonkeyPatch, hanging: str) -> None:
    cellar = Cellar()
    host = Host(cellar, Work(8), Tally(), engine_timeout=0.05, history_chars=1000, clock=lambda: 0.0)
    task = cellar.task("cellar/1")
    session = Session("a", Plan(task, 0, 20, {"delay": "0"}, frozenset()), host)
    await session.open()
    await session.step(1, "go east")
    await session.step(2, "go west")

    async def hang(*_: object) -> None:
        await asyncio.sleep(5)

    monkeypatch.setattr(CellarEpisode, hanging, hang)
    with pytest.raises(RestepError) as caught:
        await session.step(1, "go east", ["admissible_actions"])
    assert caught.value.code == "timeout"


async def test_expert_advice_is_computed_once_a_state(service: Service, cellar: Cellar) -> None:
    session = await begin(service)
    first, again = await asyncio.gather(session.advice(), session.advice())
    assert first is again
    assert first.actions == WIN
    assert first.verdict is None
    await session.step(1, "go west")
    advice = await session.advice()
    assert advice.verdict is not None
    assert advice.verdict.decision == "needless"
    assert cellar.expert_calls == 2
    assert session.results[-1].seq == 1


ACTIONS = st.sampled_from([*WIN, "drink", "gibberish", "wait"])
MISCHIEF = st.sampled_from(["none", "none", "repeat", "crash", "duplicate", "conflict", "gap"])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(ACTIONS, MISCHIEF), max_size=12), st.integers(0, 5))
def test_no_mischief_changes_the_record(moves: list[tuple[str, str]], seed: int) -> None:
    """Retries, duplicates, conflicts, gaps and dead engines: the record is what playing alone gives."""

    async def check() -> None:
        alone = await _record([(action, "none") for action, _ in moves], seed)
        assert await _record(moves, seed) == alone

    asyncio.run(check())


async def _record(moves: list[tuple[str, str]], seed: int) -> list[StepResult]:
    cellar = Cellar()
    host = Host(cellar, Work(64), Tally(), 5.0, 10**6, asyncio.get_running_loop().time)
    session = Session("s", Plan(cellar.task("cellar/1"), seed, 8, {"delay": "0"}, frozenset()), host)
    await session.open()
    for action, mischief in moves:
        if session.over:
            break
        seq = len(session.results) + 1
        if mischief == "crash":
            cellar.crash()
        if mischief == "gap":
            assert await refusal(session, seq + 1, action) == "step_gap"
        if mischief == "conflict" and session.results:
            assert await refusal(session, seq - 1, "never sent") == "step_conflict"
        copies = 3 if mischief == "duplicate" else 1
        answers = await asyncio.gather(*[session.step(seq, action) for _ in range(copies)])
        if mischief == "repeat":
            answers.append(await session.step(seq, action))
        assert all(answer == session.results[-1] for answer in answers)
    await session.close()
    await host.work.drained(1)
    assert cellar.open_episodes == 0
    return session.results
