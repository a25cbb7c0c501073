"""Playing over raw HTTP: the tests of the protocol use no client of ours."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import httpx

from shared.errors import ERRORS, PROBLEM_MEDIA_TYPE
from shared.protocol import SessionView, StepResult
from tests.conformance.conftest import Subject


async def begin(client: httpx.AsyncClient, subject: Subject, **asked: Any) -> SessionView:
    """A session under a new id; waits as long as a server that is beginning others asks to, within reason."""
    body = {"task_id": subject.task_id, "options": subject.options, **asked}
    address = f"/v1/sessions/{uuid.uuid4()}"
    response = await client.put(address, json=body)
    for _ in range(60):
        if response.status_code != 429:
            break
        await asyncio.sleep(float(problem(response, "queue_full")["retry_after"]))
        response = await client.put(address, json=body)
    assert response.status_code == 201, response.text
    return SessionView.model_validate_json(response.content)


async def step(client: httpx.AsyncClient, session: SessionView, seq: int, action: str, **asked: Any) -> StepResult:
    """One step that must succeed."""
    response = await client.post(f"/v1/sessions/{session.session_id}/steps", json={"seq": seq, "action": action, **asked})
    assert response.status_code == 200, response.text
    return StepResult.model_validate_json(response.content)


async def play(client: httpx.AsyncClient, session: SessionView, actions: Sequence[str], first: int = 1) -> list[StepResult]:
    """Steps in order."""
    return [await step(client, session, seq, action) for seq, action in enumerate(actions, first)]


async def end(client: httpx.AsyncClient, *sessions: SessionView) -> None:
    """Give sessions back."""
    for session in sessions:
        assert (await client.delete(f"/v1/sessions/{session.session_id}")).status_code == 204


def problem(response: httpx.Response, code: str) -> dict[str, Any]:
    """The problem document of a refused request, checked for form."""
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE, response.text
    body: dict[str, Any] = response.json()
    assert (body["code"], body["status"], response.status_code) == (code, ERRORS[code].status, ERRORS[code].status)
    assert ("retry-after" in response.headers) == (response.status_code in (429, 503))
    return body
