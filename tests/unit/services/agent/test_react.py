"""The native routes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.agent.app import create_app
from services.agent.service import AgentService
from services.agent.settings import AgentSettings
from shared.errors import PROBLEM_MEDIA_TYPE
from shared.react import parse_turn
from tests.support.tiny_model import tiny_tokenizer
from tests.support.waiting import until

PROMPT = [1, 300, 40, 41, 42]


async def step(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/react/steps", json={"prompt_token_ids": PROMPT, "max_tokens": 8, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_ids_in_ids_out(client: httpx.AsyncClient) -> None:
    turn = await step(client, stop_token_ids=[], logprobs=True)
    assert len(turn["token_ids"]) == len(turn["logprobs"]) == 8
    assert turn["text"] == tiny_tokenizer().decode(turn["token_ids"], skip_special_tokens=True)
    assert turn["finish_reason"] == "length"
    assert turn["usage"] == {"prompt_tokens": 5, "completion_tokens": 8, "cached_tokens": 0}


async def test_the_stop_id_is_in_the_ids_and_not_in_the_text(client: httpx.AsyncClient) -> None:
    free = await step(client, stop_token_ids=[])
    stop = free["token_ids"][3]
    turn = await step(client, stop_token_ids=[stop])
    cut = free["token_ids"][: free["token_ids"].index(stop) + 1]
    assert turn["token_ids"] == cut
    assert turn["text"] == tiny_tokenizer().decode(cut[:-1], skip_special_tokens=True)
    assert (turn["finish_reason"], turn["logprobs"]) == ("stop", None)


async def test_a_stop_text_ends_the_answer_before_it_and_the_ids_with_it(client: httpx.AsyncClient) -> None:
    free = await step(client, stop_token_ids=[])
    stop = free["text"][len(free["text"]) // 2 :][:2]
    turn = await step(client, stop_token_ids=[], stop=[stop, "never said"], logprobs=True)
    assert turn["text"] == free["text"][: free["text"].index(stop)]
    assert turn["token_ids"] == free["token_ids"][: len(turn["token_ids"])]
    assert stop in tiny_tokenizer().decode(turn["token_ids"], skip_special_tokens=True)
    assert (turn["finish_reason"], len(turn["logprobs"])) == ("stop", len(turn["token_ids"]))
    assert turn["usage"]["completion_tokens"] == len(turn["token_ids"]) < 8
    refused = await client.post("/v1/react/steps", json={"prompt_token_ids": PROMPT, "stop": [""]})
    assert refused.status_code == 422


async def test_the_answer_is_read_as_a_turn_and_failures_are_counted(client: httpx.AsyncClient) -> None:
    turn = await step(client, stop_token_ids=[])
    read = parse_turn(turn["text"])
    assert (turn["thought"], turn["action"], turn["format_error"]) == (read.thought, read.action, read.error)
    assert turn["format_error"] == "no action line", "a random model does not know the format"
    shown = (await client.get("/metrics")).text
    assert 'restep_agent_format_failures_total{reason="no action line"} 1.0' in shown
    assert "restep_agent_turns_total 1.0" in shown
    assert "restep_agent_turns_cut_off_total 1.0" in shown
    assert "restep_agent_generated_tokens_total 8.0" in shown


async def test_another_checkpoint_than_the_one_that_is_asked_for_does_not_answer(client: httpx.AsyncClient) -> None:
    served = (await client.get("/v1/agent")).json()["model"]
    assert (await step(client, model=served))["model"] == served
    refused = await client.post("/v1/react/steps", json={"prompt_token_ids": [10**6], "model": "other@0"})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_model")
    assert refused.json()["detail"] == f"other@0 is not served; {served} is"


async def test_the_time_the_model_works_is_counted(client: httpx.AsyncClient) -> None:
    busy = [await busy_seconds(client)]
    for _ in range(2):
        await step(client, stop_token_ids=[])
        busy.append(await busy_seconds(client))
    assert busy[0] == 0.0 < busy[1] < busy[2] == await busy_seconds(client)


async def busy_seconds(client: httpx.AsyncClient) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("restep_agent_busy_seconds_total "))


async def test_constrained_answers_are_refused_by_name(client: httpx.AsyncClient) -> None:
    body = {"prompt_token_ids": PROMPT, "admissible_actions": ["look"]}
    refused = await client.post("/v1/react/steps", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_supported")
    for wrong in ([], [""], ["look\nAction: run"]):
        assert (await client.post("/v1/react/steps", json=body | {"admissible_actions": wrong})).status_code == 422


async def test_a_seed_repeats_an_answer(client: httpx.AsyncClient) -> None:
    sampling: dict[str, Any] = {"temperature": 1.0, "top_p": 0.9, "stop_token_ids": []}
    one, again, other = [await step(client, seed=seed, **sampling) for seed in (1, 1, 2)]
    assert one["token_ids"] == again["token_ids"] != other["token_ids"]


async def test_it_says_what_answers(client: httpx.AsyncClient, first: Path) -> None:
    info = (await client.get("/v1/agent")).json()
    assert info["model"].startswith("first@")
    assert info == {
        "backend": "transformers",
        "model": info["model"],
        "checkpoint": str(first),
        "tokenizer_hash": info["tokenizer_hash"],
        "vocabulary": len(tiny_tokenizer()),
        "context_length": 1024,
        "chat_format": "chatml",
        "stop_token_ids": [2],
        "max_batch": 8,
        "in_flight": 0,
    }


async def test_another_checkpoint_answers_after_a_reload(client: httpx.AsyncClient, first: Path, second: Path) -> None:
    before = await step(client, stop_token_ids=[])
    loaded = (await client.post("/v1/checkpoint", json={"path": str(second)})).json()
    after = await step(client, stop_token_ids=[])
    assert after["model"] == loaded["model"] != before["model"]
    assert after["token_ids"] != before["token_ids"]
    await client.post("/v1/checkpoint", json={"path": str(first)})
    assert await step(client, stop_token_ids=[]) == before


@pytest.mark.parametrize(("path", "why"), [("absent", "does not exist"), (".", "has no config.json")])
async def test_a_missing_checkpoint_leaves_the_old_one(client: httpx.AsyncClient, tmp_path: Path, path: str, why: str) -> None:
    before = await step(client)
    refused = await client.post("/v1/checkpoint", json={"path": str(tmp_path / path)})
    assert (refused.status_code, refused.json()["code"]) == (404, "checkpoint_not_found")
    assert why in refused.json()["detail"]
    assert (await step(client))["model"] == before["model"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"{}", 422, "invalid_request"),
        (b'{"prompt_token_ids": []}', 422, "invalid_request"),
        (b'{"prompt_token_ids": [-1]}', 422, "invalid_request"),
        (b'{"prompt_token_ids": [99999]}', 422, "invalid_request"),
        (b'{"prompt_token_ids": ["a"]}', 422, "invalid_request"),
        (b'{"prompt_token_ids": [1], "top_p": 0}', 422, "invalid_request"),
        (b'{"prompt_token_ids": [1], "temperature": -1}', 422, "invalid_request"),
        (b'{"prompt_token_ids": [1], "max_tokens": 0}', 422, "invalid_request"),
        (b'{"prompt_token_ids": [1], "stop": "x"}', 422, "invalid_request"),
        (b'{"prompt_token_ids": [' + b"1," * 1023 + b"1]}", 422, "prompt_too_long"),
        (b'{"prompt_token_ids": [' + b"1," * 600_000 + b"1]}", 413, "body_too_large"),
    ],
)
async def test_bad_requests_are_problems(client: httpx.AsyncClient, body: bytes, status: int, code: str) -> None:
    answer = await client.post("/v1/react/steps", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE


async def test_leaving_cancels_the_work(app: FastAPI, client: httpx.AsyncClient) -> None:
    service: AgentService = app.state.service
    asking = asyncio.create_task(step(client, max_tokens=1000, stop_token_ids=[]))
    await until(lambda: service.backend.gauges()["sequences_running"])
    body = b'{"prompt_token_ids": [5, 6], "max_tokens": 1000, "stop_token_ids": []}'
    asked, left = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not asked.is_set():
            asked.set()
            return {"type": "http.request", "body": body, "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there to read this")

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/react/steps", "query_string": b"", "headers": []}
    leaver = asyncio.create_task(app(scope, receive, send))
    await until(lambda: service.in_flight == 2)
    left.set()
    await leaver
    assert len((await asking)["token_ids"]) == 1000, "who stays is not disturbed"
    assert service.backend.counters()["generated_tokens"] < 2000
    assert service.in_flight == 0


async def test_draining_finishes_what_was_accepted_and_takes_no_more(app: FastAPI, client: httpx.AsyncClient) -> None:
    service: AgentService = app.state.service
    asking = asyncio.create_task(step(client, max_tokens=200, stop_token_ids=[]))
    await until(lambda: service.in_flight)
    draining = asyncio.create_task(service.drain())
    await until(lambda: service.draining)
    refused = await client.post("/v1/react/steps", json={"prompt_token_ids": PROMPT})
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await client.get("/readyz")).status_code == 503
    await draining
    assert asking.done() or len((await asking)["token_ids"]) == 200


async def test_not_ready_before_the_checkpoint_is_there(first: Path) -> None:
    application = create_app(AgentSettings(checkpoint=str(first)), wait=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://agent") as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).json()["code"] == "not_ready"
        answer = await http.post("/v1/react/steps", json={"prompt_token_ids": PROMPT})
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")


async def test_a_token_guards_everything_but_the_probes(first: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("sesame\n")
    application = create_app(AgentSettings(checkpoint=str(first), token_file=secret), wait=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://agent") as http:
        assert (await http.get("/v1/agent")).status_code == 401
        assert (await http.get("/v1/agent", headers={"Authorization": "Bearer sesame"})).json()["code"] == "not_ready"
        assert (await http.get("/healthz")).status_code == 200
