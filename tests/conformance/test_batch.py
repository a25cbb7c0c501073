"""Batches: many sessions at once, each step answered on its own."""

from __future__ import annotations

import httpx

from shared.protocol import BatchAnswer
from tests.conformance.conftest import Subject
from tests.conformance.play import begin, end, play


async def test_a_batch_equals_single_steps(client: httpx.AsyncClient, subject: Subject) -> None:
    alone = await begin(client, subject)
    expected = await play(client, alone, subject.actions)
    sessions = [await begin(client, subject) for _ in range(6)]
    for seq, action in enumerate(subject.actions, 1):
        steps = [{"session_id": session.session_id, "seq": seq, "action": action} for session in sessions]
        response = await client.post("/v1/steps", json={"steps": steps})
        answer = BatchAnswer.model_validate_json(response.content)
        assert [item.session_id for item in answer.results] == [session.session_id for session in sessions]
        assert [item.result for item in answer.results] == [expected[seq - 1]] * 6
    await end(client, alone, *sessions)


async def test_a_whole_episode_in_one_batch_and_again(client: httpx.AsyncClient, subject: Subject) -> None:
    alone = await begin(client, subject)
    expected = await play(client, alone, subject.actions)
    session = await begin(client, subject)
    steps = [{"session_id": session.session_id, "seq": seq, "action": action} for seq, action in enumerate(subject.actions, 1)]
    for _ in range(2):
        response = await client.post("/v1/steps", json={"steps": steps[::-1]})
        answer = BatchAnswer.model_validate_json(response.content)
        assert [item.result for item in answer.results] == expected[::-1]
    await end(client, alone, session)


async def test_one_bad_step_spoils_no_other(client: httpx.AsyncClient, subject: Subject) -> None:
    first, second = await begin(client, subject), await begin(client, subject)
    steps = [
        {"session_id": first.session_id, "seq": 1, "action": subject.actions[0]},
        {"session_id": first.session_id, "seq": 5, "action": subject.actions[0]},
        {"session_id": "never-was", "seq": 1, "action": subject.actions[0]},
        {"session_id": second.session_id, "seq": 1, "action": "x" * 5000},
        {"session_id": second.session_id, "seq": 1, "action": subject.actions[0]},
    ]
    answer = BatchAnswer.model_validate_json((await client.post("/v1/steps", json={"steps": steps})).content)
    codes = [item.problem.code if item.problem else "ok" for item in answer.results]
    assert codes == ["ok", "step_gap", "session_not_found", "action_too_large", "ok"]
    await end(client, first, second)
