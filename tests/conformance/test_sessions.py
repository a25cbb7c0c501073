"""Sessions: creation, sequence, replay, end."""

from __future__ import annotations

import asyncio
import itertools
import random

import httpx

from shared.protocol import SessionHistory, SessionPage, SessionView, observation_hash
from tests.conformance.conftest import Subject
from tests.conformance.play import begin, end, play, problem, step


async def history(client: httpx.AsyncClient, session: SessionView) -> SessionHistory:
    return SessionHistory.model_validate_json((await client.get(f"/v1/sessions/{session.session_id}")).content)


async def test_an_episode_is_recorded_step_by_step(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    assert session.seq == 0
    assert session.observation_hash == observation_hash(session.observation)
    assert session.options == subject.options
    results = await play(client, session, subject.actions)
    assert [result.seq for result in results] == list(range(1, len(results) + 1))
    assert [result.action for result in results] == list(subject.actions)
    assert all(result.valid and not result.done for result in results)
    assert all(result.observation_hash == observation_hash(result.observation) for result in results)
    scores = [0.0, *(result.score for result in results)]
    assert [result.reward for result in results] == [after - before for before, after in itertools.pairwise(scores)]
    found = await history(client, session)
    assert found.steps == results
    assert found.seq == len(results)
    assert 0 < found.expires_in <= 900
    await end(client, session)


async def test_repeats_conflicts_and_gaps(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    results = await play(client, session, subject.actions[:2])
    path = f"/v1/sessions/{session.session_id}/steps"
    assert await play(client, session, subject.actions[:2]) == results
    problem(await client.post(path, json={"seq": 2, "action": "something else"}), "step_conflict")
    problem(await client.post(path, json={"seq": 4, "action": subject.actions[2]}), "step_gap")
    assert (await step(client, session, 3, subject.actions[2])).seq == 3
    await end(client, session)


async def test_concurrent_duplicates_are_one_step(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    answers = await asyncio.gather(*[step(client, session, 1, subject.actions[0]) for _ in range(8)])
    assert all(answer == answers[0] for answer in answers)
    assert (await history(client, session)).steps == [answers[0]]
    await end(client, session)


async def test_nonsense_is_a_step_that_counts(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject, max_steps=2)
    first = await step(client, session, 1, subject.nonsense)
    assert not first.valid
    assert first.observation
    assert first.reward == 0
    second = await step(client, session, 2, "")
    assert second.truncated
    assert not second.done
    path = f"/v1/sessions/{session.session_id}/steps"
    problem(await client.post(path, json={"seq": 3, "action": subject.actions[0]}), "episode_over")
    assert await step(client, session, 2, "") == second
    await end(client, session)


async def test_interleaved_episodes_equal_solo_play(client: httpx.AsyncClient, subject: Subject) -> None:
    alone = await begin(client, subject)
    expected = await play(client, alone, subject.actions)
    together = [await begin(client, subject) for _ in range(4)]
    assert {session.observation_hash for session in together} == {alone.observation_hash}
    order = [index for index in range(4) for _ in subject.actions]
    random.Random(7).shuffle(order)
    played: list[int] = [0] * 4
    for index in order:
        action = subject.actions[played[index]]
        assert await step(client, together[index], played[index] + 1, action) == expected[played[index]]
        played[index] += 1
    await end(client, alone, *together)


async def test_creation_is_idempotent(client: httpx.AsyncClient, subject: Subject) -> None:
    body = {"task_id": subject.task_id, "options": subject.options}
    responses = await asyncio.gather(*[client.put("/v1/sessions/twice", json=body) for _ in range(4)])
    assert sorted(response.status_code for response in responses) == [200, 200, 200, 201]
    sessions = [SessionView.model_validate_json(response.content) for response in responses]
    assert len({session.observation_hash for session in sessions}) == 1
    problem(await client.put("/v1/sessions/twice", json={**body, "max_steps": 3}), "session_conflict")
    await end(client, sessions[0])
    problem(await client.put("/v1/sessions/twice", json=body), "session_gone")


async def test_the_server_makes_ids_for_people(client: httpx.AsyncClient, subject: Subject) -> None:
    response = await client.post("/v1/sessions", json={"task_id": subject.task_id})
    assert response.status_code == 201
    session = SessionView.model_validate_json(response.content)
    assert (await history(client, session)).session_id == session.session_id
    await end(client, session)


async def test_a_fork_at_any_step_goes_on_like_the_original(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    results = await play(client, session, subject.actions)
    for at_seq in range(len(results) + 1):
        response = await client.post(f"/v1/sessions/{session.session_id}/fork", json={"at_seq": at_seq})
        assert response.status_code == 201
        fork = SessionView.model_validate_json(response.content)
        assert fork.seq == at_seq
        assert (await history(client, fork)).steps == results[:at_seq]
        assert await play(client, fork, subject.actions[at_seq:], at_seq + 1) == results[at_seq:]
        await end(client, fork)
    problem(await client.post(f"/v1/sessions/{session.session_id}/fork", json={"at_seq": 99}), "step_gap")
    await end(client, session)


async def test_a_fork_and_its_source_go_separate_ways(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    expected = await play(client, session, subject.actions)
    source = await begin(client, subject)
    await play(client, source, subject.actions[:2])
    fork = SessionView.model_validate_json((await client.post(f"/v1/sessions/{source.session_id}/fork")).content)
    await step(client, fork, 3, subject.nonsense)
    assert await play(client, source, subject.actions[2:], 3) == expected[2:]
    await end(client, session, source, fork)


async def test_listing_pages_through_every_session(client: httpx.AsyncClient, subject: Subject) -> None:
    made = [await begin(client, subject) for _ in range(3)]
    found: list[str] = []
    while True:
        response = await client.get("/v1/sessions", params={"offset": len(found), "limit": 2})
        page = SessionPage.model_validate_json(response.content)
        found += [session.session_id for session in page.sessions]
        if len(found) >= page.total:
            break
    assert [session.session_id for session in made] == found[-3:]
    await end(client, *made)


async def test_a_closed_session_is_gone_and_an_unknown_one_not_found(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    await end(client, session, session)
    path = f"/v1/sessions/{session.session_id}"
    for response in (
        await client.get(path),
        await client.post(f"{path}/steps", json={"seq": 1, "action": subject.actions[0]}),
        await client.post(f"{path}/fork"),
    ):
        problem(response, "session_gone")
    problem(await client.get("/v1/sessions/never-was"), "session_not_found")


async def test_admissible_actions_are_understood_and_asking_changes_nothing(
    client: httpx.AsyncClient, subject: Subject
) -> None:
    plain = await begin(client, subject)
    expected = await play(client, plain, subject.actions)
    asking = await begin(client, subject, include=["admissible_actions"])
    assert asking.admissible_actions
    for seq, action in enumerate(subject.actions, 1):
        result = await step(client, asking, seq, action)
        assert result.admissible_actions
        assert result.model_copy(update={"admissible_actions": None}) == expected[seq - 1]
    chosen = (await step(client, plain, 5, subject.actions[4], include=["admissible_actions"])).admissible_actions or []
    for action in random.Random(3).sample(chosen, min(4, len(chosen))):
        fork = SessionView.model_validate_json((await client.post(f"/v1/sessions/{plain.session_id}/fork")).content)
        assert (await step(client, fork, 6, action)).valid, action
        await end(client, fork)
    await end(client, plain, asking)


async def test_the_expert_is_off_unless_asked_for(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    problem(await client.get(f"/v1/sessions/{session.session_id}/expert"), "expert_disabled")
    await end(client, session)


async def test_capacity_is_refused_with_a_time_to_come_back(client: httpx.AsyncClient, subject: Subject) -> None:
    first = (await client.get("/v1/environment")).json()
    made = [await begin(client, subject) for _ in range(first["capacity"] - first["sessions"])]
    body = {"task_id": subject.task_id, "options": subject.options}
    refused = problem(await client.put("/v1/sessions/one-too-many", json=body), "over_capacity")
    assert refused["retryable"]
    await end(client, made[0])
    assert (await client.put("/v1/sessions/one-too-many", json=body)).status_code == 201
    assert (await client.delete("/v1/sessions/one-too-many")).status_code == 204
    await end(client, *made[1:])
