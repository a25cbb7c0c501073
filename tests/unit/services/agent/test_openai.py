"""The OpenAI routes, over plain HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from services.agent.app import create_app
from services.agent.openai_protocol import OpenAiError
from services.agent.service import AgentService
from services.agent.settings import AgentSettings
from tests.support.tiny_model import tiny_tokenizer
from tests.support.waiting import until

MESSAGES = [{"role": "system", "content": "Act."}, {"role": "user", "content": "This room is called the kitchen."}]
GREEDY: dict[str, Any] = {"model": "first", "temperature": 0, "max_tokens": 12, "stop_token_ids": []}


async def post(client: httpx.AsyncClient, route: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/{route}", json={**GREEDY, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def events(client: httpx.AsyncClient, route: str, **body: Any) -> list[dict[str, Any]]:
    async with client.stream("POST", f"/v1/{route}", json={**GREEDY, "stream": True, **body}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") async for line in answer.aiter_lines() if line]
    assert lines[-1] == "[DONE]"
    return [orjson.loads(line) for line in lines[:-1]]


async def native(client: httpx.AsyncClient, prompt: list[int], **sampling: Any) -> dict[str, Any]:
    body = {"prompt_token_ids": prompt, "max_tokens": 12, "stop_token_ids": [], "logprobs": True, **sampling}
    return (await client.post("/v1/react/steps", json=body)).json()


async def test_chat_renders_the_template_and_answers_as_the_native_route(client: httpx.AsyncClient) -> None:
    prompt = tiny_tokenizer().encode(
        "<|im_start|>system\nAct.<|im_end|>\n<|im_start|>user\nThis room is called the kitchen.<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    answer = await post(client, "chat/completions", messages=MESSAGES, return_token_ids=True, logprobs=True)
    turn = await native(client, prompt)
    choice = answer["choices"][0]
    assert answer["prompt_token_ids"] == prompt
    assert choice["token_ids"] == turn["token_ids"]
    assert choice["message"] == {"role": "assistant", "content": turn["text"]}
    assert choice["finish_reason"] == "length"
    assert [token["logprob"] for token in choice["logprobs"]["content"]] == pytest.approx(turn["logprobs"], abs=1e-5)
    assert answer["model"] == turn["model"]
    assert answer["usage"]["completion_tokens"] == 12
    assert answer["usage"]["prompt_tokens"] == len(prompt)


async def test_a_completion_takes_text_or_ids(client: httpx.AsyncClient) -> None:
    ids = tiny_tokenizer().encode("Thought: I should go")
    by_text = await post(client, "completions", prompt="Thought: I should go", logprobs=1, return_token_ids=True)
    by_ids = await post(client, "completions", prompt=ids, logprobs=0)
    choice = by_text["choices"][0]
    assert choice["text"] == by_ids["choices"][0]["text"]
    assert choice["prompt_token_ids"] == ids
    assert choice["logprobs"]["token_logprobs"] == pytest.approx((await native(client, ids))["logprobs"], abs=1e-5)
    assert len(choice["logprobs"]["tokens"]) == len(choice["logprobs"]["text_offset"]) == 12


async def test_content_may_come_in_parts_and_from_a_developer(client: httpx.AsyncClient) -> None:
    parts = [{"type": "text", "text": "This room is "}, {"type": "text", "text": "called the kitchen."}]
    other = [{"role": "developer", "content": "Act."}, {"role": "user", "content": parts}]
    plain = await post(client, "chat/completions", messages=MESSAGES)
    assert (await post(client, "chat/completions", messages=other))["choices"] == plain["choices"]


@pytest.mark.parametrize("route", ["chat/completions", "completions"])
async def test_a_stream_adds_up_to_the_whole_answer(client: httpx.AsyncClient, route: str) -> None:
    body = {"messages": MESSAGES} if route.startswith("chat") else {"prompt": "You are in"}
    whole = await post(client, route, **body, return_token_ids=True)
    usage = {"stream_options": {"include_usage": True}}
    *chunks, last = await events(
        client, route, **body, **usage, return_token_ids=True, logprobs=1 if "prompt" in body else True
    )
    choices = [chunk["choices"][0] for chunk in chunks]
    assert len(chunks) > 2, "in pieces"
    texts = [choice["delta"]["content"] if "delta" in choice else choice["text"] for choice in choices]
    message = whole["choices"][0].get("message", {"content": whole["choices"][0].get("text")})
    assert "".join(texts) == message["content"]
    assert [token for choice in choices for token in choice["token_ids"]] == whole["choices"][0]["token_ids"]
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["length"]
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 12)


async def test_a_stop_string_cuts_the_text_whole_and_streamed(client: httpx.AsyncClient) -> None:
    free = (await post(client, "completions", prompt="Act"))["choices"][0]["text"]
    clean = free.replace("\ufffd", " ").strip()
    stop = next(word[:3] for word in clean.split() if len(word) >= 3 and free.find(word[:3]) > 0)
    cut = free[: free.index(stop)]
    whole = await post(client, "completions", prompt="Act", stop=[stop, "never there"], return_token_ids=True)
    choice = whole["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (cut, "stop")
    assert stop in tiny_tokenizer().decode(choice["token_ids"])
    assert stop not in tiny_tokenizer().decode(choice["token_ids"][:-1])
    streamed = [chunk["choices"][0] for chunk in await events(client, "completions", prompt="Act", stop=stop)]
    assert "".join(choice["text"] for choice in streamed) == cut
    assert streamed[-1]["finish_reason"] == "stop"


async def test_leaving_before_the_first_piece_of_a_stream_ends_the_work(first: Path) -> None:
    """It waits for its place in the batch, which another one has."""
    app = create_app(AgentSettings(checkpoint=str(first), kv_mib=64, max_batch=1))
    long = {"model": str(first), "prompt": [5, 6], "max_tokens": 1000, "stop_token_ids": []}
    service: AgentService = app.state.service
    left = asyncio.Event()
    messages = iter([{"type": "http.request", "body": orjson.dumps({**long, "stream": True})}])

    async def receive() -> dict[str, Any]:
        if (message := next(messages, None)) is not None:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there to read this")

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b"", "headers": []}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client,
    ):
        asking = asyncio.create_task(client.post("/v1/completions", json=long))
        await until(lambda: service.backend.gauges()["sequences_running"])
        leaver = asyncio.create_task(app(scope, receive, send))
        await until(lambda: service.backend.gauges()["requests_waiting"])
        left.set()
        await leaver
        await until(lambda: service.in_flight == 1)
        assert (await asking).json()["usage"]["completion_tokens"] == 1000
        assert service.backend.counters()["generated_tokens"] == 1000, "nothing was made for who had gone"


async def test_models_names_the_checkpoint(client: httpx.AsyncClient, first: Path) -> None:
    listed = (await client.get("/v1/models")).json()
    name = listed["data"][0]["id"]
    for model in (name, "first", str(first)):
        assert (await post(client, "completions", prompt="Act", model=model))["model"] == name


@pytest.mark.parametrize(
    ("route", "body", "status", "kind", "code"),
    [
        ("completions", {"prompt": "x", "model": "other"}, 404, "not_found_error", "unknown_model"),
        ("completions", {"prompt": "x", "n": 2}, 422, "invalid_request_error", "invalid_request"),
        ("completions", {"prompt": "x", "echo": True}, 422, "invalid_request_error", "invalid_request"),
        ("completions", {"prompt": "x", "echo": 0}, 422, "invalid_request_error", "invalid_request"),
        ("completions", {"prompt": "x", "n": True}, 422, "invalid_request_error", "invalid_request"),
        ("completions", {"prompt": "x", "best_of": True}, 422, "invalid_request_error", "invalid_request"),
        ("chat/completions", {"messages": MESSAGES, "top_logprobs": False}, 422, "invalid_request_error", "invalid_request"),
        ("completions", {"prompt": "x", "logit_bias": {"1": 5}}, 422, "invalid_request_error", "invalid_request"),
        ("completions", {"prompt": ["x", "y"]}, 422, "invalid_request_error", "invalid_request"),
        ("completions", {"prompt": [1] * 2000}, 422, "invalid_request_error", "prompt_too_long"),
        ("completions", {"prompt": [1] * 2000, "stream": True}, 422, "invalid_request_error", "prompt_too_long"),
        ("completions", {}, 422, "invalid_request_error", "invalid_request"),
        ("chat/completions", {"messages": []}, 422, "invalid_request_error", "invalid_request"),
        ("chat/completions", {"messages": [{"role": "tool", "content": "x"}]}, 422, "invalid_request_error", "invalid_request"),
        ("chat/completions", {"messages": MESSAGES, "tools": []}, 422, "invalid_request_error", "invalid_request"),
        ("chat/completions", {"messages": MESSAGES, "user": "x" * (1 << 20)}, 413, "invalid_request_error", "body_too_large"),
        ("models/x", {}, 404, "not_found_error", "route_not_found"),
    ],
)
async def test_errors_have_the_shape_openai_clients_read(
    client: httpx.AsyncClient, route: str, body: dict[str, Any], status: int, kind: str, code: str
) -> None:
    answer = await client.post(f"/v1/{route}", json={**GREEDY, **body})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, code, None)
    assert error["message"]


async def test_a_wrong_key_has_that_shape_too(first: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("sesame")
    application = create_app(AgentSettings(checkpoint=str(first), token_file=secret), wait=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://agent") as http:
        refused = await http.get("/v1/models")
        busy = await http.get("/v1/models", headers={"Authorization": "Bearer sesame"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert (busy.status_code, busy.json()["error"]["code"]) == (503, "not_ready")
    assert "Retry-After" in busy.headers


async def test_openapi_describes_every_route(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert {"/v1/react/steps", "/v1/agent", "/v1/checkpoint", "/v1/chat/completions", "/v1/completions", "/v1/models"} <= set(
        document["paths"]
    )
    assert {"ReactStepRequest", "AgentTurn", "ChatRequest", "CompletionRequest", "Problem"} <= set(
        document["components"]["schemas"]
    )


def test_answers_are_declared_whole_and_as_events() -> None:
    document = create_app(AgentSettings(checkpoint="any")).openapi()
    for path in ("/v1/chat/completions", "/v1/completions"):
        content = document["paths"][path]["post"]["responses"]["200"]["content"]
        assert set(content) == {"application/json", "text/event-stream"}


def test_the_failures_of_these_routes_are_described_in_their_own_shape() -> None:
    document = create_app(AgentSettings(checkpoint="any")).openapi()
    assert "OpenAiError" in document["components"]["schemas"]
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/models"):
        for operation in document["paths"][path].values():
            failures = {status: one for status, one in operation["responses"].items() if status not in {"200", "422"}}
            assert {"401", "503"} <= failures.keys()
            for status, response in failures.items():
                media = response["content"]["application/json"]
                assert media["schema"] == {"$ref": "#/components/schemas/OpenAiError"}, status
                for code, example in media["examples"].items():
                    assert OpenAiError.model_validate(example["value"]).error.code == code
