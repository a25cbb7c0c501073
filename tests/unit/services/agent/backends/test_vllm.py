"""The vLLM back end against a server whose answers are given: what is asked, and what becomes of every kind of failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.agent.app import create_app
from services.agent.backends.vllm import VllmBackend
from services.agent.settings import AgentSettings
from shared.agent_protocol import Sampling
from shared.errors import RestepError
from tests.support.live import live
from tests.support.scripted_vllm import Reply, ScriptedVllm, answer, cut, cut_stream, dies, event, fails, holds, says
from tests.support.tiny_adapter import tiny_adapter
from tests.support.waiting import until

PROMPT = [1, 300, 40, 41, 42]


@asynccontextmanager
async def serving(checkpoint: Path, *script: Reply, **options: Any) -> AsyncGenerator[tuple[VllmBackend, ScriptedVllm]]:
    """A back end attached to a scripted server of ``checkpoint``."""
    server = ScriptedVllm(str(checkpoint), *script)
    async with live(server.app) as url:
        backend = VllmBackend(AgentSettings(checkpoint=str(checkpoint), vllm_url=url, **options))
        try:
            await backend.load(str(checkpoint))
            yield backend, server
        finally:
            await backend.stop()


async def test_ids_go_in_and_come_out(first: Path) -> None:
    async with serving(first) as (backend, server):
        sampling = Sampling(max_tokens=9, temperature=0.7, top_p=0.9, seed=3, stop_token_ids=[2, 5])
        given = await backend.current().generate(PROMPT, sampling)
        assert (given.token_ids, given.logprobs) == ([7, 8, 2], [0.0, -0.5, -1.0])
        assert (given.finish_reason, given.cached_tokens) == ("stop", 4)
        asked = server.asked[0]
        assert (asked["model"], asked["prompt"], asked["max_tokens"]) == ("base-name", PROMPT, 9)
        assert (asked["temperature"], asked["top_p"], asked["seed"]) == (0.7, 0.9, 3)
        assert (asked["stop_token_ids"], asked["ignore_eos"], asked["return_token_ids"]) == ([2, 5], True, True)
        assert asked["cache_salt"] == backend.info().model.rpartition("@")[2], "checkpoints share no prefix cache"
        await backend.current().generate(PROMPT, Sampling(max_tokens=9999))
        assert server.asked[1]["max_tokens"] == 512 - len(PROMPT), "the server's own context counts"
        assert server.asked[1]["stop_token_ids"] == [2], "the checkpoint's own"
        assert "seed" not in server.asked[1], "nothing is drawn"


async def test_a_listener_hears_what_there_is_so_far(first: Path) -> None:
    async with serving(first) as (backend, _):
        heard: list[tuple[list[int], list[float]]] = []
        given = await backend.current().generate(PROMPT, Sampling(), lambda ids, logprobs: heard.append((ids, logprobs)))
        assert [ids for ids, _ in heard] == [[7], [7, 8], [7, 8, 2]]
        assert heard[-1] == (given.token_ids, given.logprobs)
        assert (given.finish_reason, given.cached_tokens) == ("stop", 4)


async def test_back_pressure_reaches_the_client(first: Path) -> None:
    server = ScriptedVllm(str(first), fails(429, retry_after="7"), fails(503, retry_after="3"))
    async with live(server.app) as url:
        app = create_app(AgentSettings(checkpoint=str(first), vllm_url=url))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as http,
        ):
            answers = [await http.post("/v1/react/steps", json={"prompt_token_ids": PROMPT}) for _ in range(3)]
            shown = (await http.get("/metrics")).text
    assert [given.status_code for given in answers] == [429, 503, 200]
    assert [given.headers.get("Retry-After") for given in answers] == ["7", "3", None]
    assert [answers[0].json()["code"], answers[1].json()["code"]] == ["queue_full", "not_ready"]
    assert answers[2].json()["token_ids"] == [7, 8, 2]
    assert "restep_agent_generated_tokens_total 3.0" in shown
    assert "restep_agent_sequences_running" in shown


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cut_answer_is_asked_for_again_with_the_same_seed(first: Path, stream: bool) -> None:
    heard: list[list[int]] = []

    def hear(ids: list[int], logprobs: list[float]) -> None:
        heard.append(ids)

    async with serving(first, cut_stream if stream else cut) as (backend, server):
        given = await backend.current().generate(PROMPT, Sampling(temperature=1.0), hear if stream else None)
        assert given.token_ids == [7, 8, 2]
        assert server.asked[0] == server.asked[1]
        assert isinstance(server.asked[0]["seed"], int)
        assert backend.counters()["asked_again"] == 1
    assert heard == ([[7], [7], [7, 8], [7, 8, 2]] if stream else [])


async def test_questions_wait_for_a_server_that_died(first: Path) -> None:
    async with serving(first) as (backend, server):
        server.script = [dies(server), dies(server), dies(server)]
        given = await asyncio.gather(*(backend.current().generate(PROMPT, Sampling()) for _ in range(3)))
        assert [one.token_ids for one in given] == [[7, 8, 2]] * 3
        assert backend.counters()["asked_again"] == 3
        assert backend.counters()["restarts"] == 1, "all who ask meanwhile share one look"


async def test_a_question_that_always_fails_ends(first: Path) -> None:
    async with serving(first, cut, cut, cut) as (backend, server):
        with pytest.raises(RestepError, match="not_ready") as refused:
            await backend.current().generate(PROMPT, Sampling())
        assert refused.value.retry_after
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (fails(500), "backend_failed"),
        (fails(400), "invalid_request"),
        (fails(401), "backend_failed"),
        (says(b"<html>", 502), "backend_failed"),
        (says(b"{"), "backend_failed"),
        (says(b"[]"), "backend_failed"),
        (says(b'{"choices": []}'), "backend_failed"),
        (says(b'{"choices": [{"token_ids": [1], "finish_reason": null}]}'), "backend_failed"),
        (
            says(b'{"choices": [{"token_ids": [1], "logprobs": {"token_logprobs": []}, "finish_reason": "stop"}]}'),
            "backend_failed",
        ),
    ],
)
async def test_the_answer_of_a_healthy_server_stands(first: Path, reply: Reply, code: str) -> None:
    async with serving(first, reply) as (backend, server):
        with pytest.raises(RestepError) as refused:
            await backend.current().generate(PROMPT, Sampling())
        assert refused.value.code == code
        assert len(server.asked) == 1
        assert (await backend.current().generate(PROMPT, Sampling())).token_ids == [7, 8, 2]


async def test_a_late_failure_of_a_stream_is_one(first: Path) -> None:
    async with serving(first, says(event({"error": {"message": "out of memory"}}))) as (backend, _):
        with pytest.raises(RestepError, match="backend_failed: vLLM: out of memory"):
            await backend.current().generate(PROMPT, Sampling(), lambda ids, logprobs: None)


async def test_an_answer_may_take_its_time_and_no_longer(first: Path) -> None:
    async with serving(first, holds(asyncio.Event(), asyncio.Event()), answer_seconds=0.3) as (backend, _):
        with pytest.raises(RestepError, match="timeout"):
            await backend.current().generate(PROMPT, Sampling())


async def test_leaving_ends_the_work_there_too(first: Path) -> None:
    entered, left = asyncio.Event(), asyncio.Event()
    async with serving(first, holds(entered, left)) as (backend, _):
        asking = asyncio.create_task(backend.current().generate(PROMPT, Sampling()))
        await entered.wait()
        busy = backend.counters()["busy_seconds"]
        await until(lambda: backend.counters()["busy_seconds"] > busy)
        asking.cancel()
        await left.wait()
        assert backend.counters()["cancelled"] == 1
        busy = backend.counters()["busy_seconds"]
        assert backend.counters()["busy_seconds"] == busy > 0, "nobody asks, so it is not busy"


async def test_over_the_queue_clients_are_told_to_come_again(first: Path) -> None:
    entered, left = asyncio.Event(), asyncio.Event()
    async with serving(first, holds(entered, left), holds(entered, left), max_batch=1, queue=1) as (backend, _):
        asking = [asyncio.create_task(backend.current().generate(PROMPT, Sampling())) for _ in range(2)]
        await entered.wait()
        with pytest.raises(RestepError, match="queue_full"):
            await backend.current().generate(PROMPT, Sampling())
        for task in asking:
            task.cancel()


async def test_an_adapter_answers_and_comes_back_with_the_server(first: Path, tmp_path: Path) -> None:
    path = tiny_adapter(tmp_path / "skill", first)
    async with serving(first) as (backend, server):
        base = backend.current()
        fresh = await backend.load(str(path))
        assert backend.info().model == fresh.checkpoint.model
        assert server.adapters == {fresh.checkpoint.model: str(path)}
        server.script = [dies(server, forgets=True)]
        assert (await backend.current().generate(PROMPT, Sampling())).token_ids == [7, 8, 2]
        assert server.adapters == {fresh.checkpoint.model: str(path)}
        server.adapters.clear()  # a restart between two questions
        await backend.current().generate(PROMPT, Sampling())
        await base.generate(PROMPT, Sampling())
        assert [asked["model"] for asked in server.asked] == [fresh.checkpoint.model] * 4 + ["base-name"]
        assert await backend.load(str(path)) is fresh
        assert (await backend.load(str(first))).checkpoint.model == base.checkpoint.model
        assert backend.counters()["reloads"] == 2


async def test_an_adapter_that_is_not_taken_leaves_the_old_model(first: Path, tmp_path: Path) -> None:
    path = tiny_adapter(tmp_path / "refused", first)
    async with serving(first) as (backend, _):
        before = backend.info()
        with pytest.raises(RestepError, match=r"unsuitable_model.*LoRA rank 64 is too high"):
            await backend.load(str(path))
        assert backend.info() == before


async def test_a_server_of_another_checkpoint_is_refused(first: Path, second: Path) -> None:
    async with serving(first) as (backend, server):
        with pytest.raises(RestepError, match=f"serves {first}, not {second}"):
            await backend.load(str(second))
        assert (await backend.current().generate(PROMPT, Sampling())).token_ids == [7, 8, 2]
        server.root = str(second)  # somebody started it again with it
        assert (await backend.load(str(second))).checkpoint.model.startswith("second@")


async def test_a_server_that_is_exchanged_unasked_is_noticed(first: Path) -> None:
    async with serving(first) as (backend, server):
        server.root = "/elsewhere"
        server.script = [dies(server)]
        with pytest.raises(RestepError, match="unsuitable_model"):
            await backend.current().generate(PROMPT, Sampling())


async def test_a_constrained_answer_needs_its_end(first: Path) -> None:
    async with serving(first) as (backend, server):
        await backend.current().generate(PROMPT, Sampling(admissible_actions=["look", "go north"]))
        assert server.asked[0]["structured_outputs"]["grammar"].endswith('action ::= "look" | "go north"\n')
        with pytest.raises(RestepError, match="invalid_request"):
            await backend.current().generate(PROMPT, Sampling(admissible_actions=["look"], stop_token_ids=[5]))


async def test_its_levels_are_shown(first: Path) -> None:
    async with serving(first) as (backend, server):
        await until(lambda: backend.gauges()["sequences_running"] == 3.0)
        assert backend.gauges() == {"requests_waiting": 2.0, "sequences_running": 3.0, "kv_cache_used": 0.5}
        server.metrics = "{ this is no metric"
        await until(lambda: backend.gauges()["sequences_running"] == 0.0)


@pytest.mark.parametrize("prompt", [[], [-1], [10**6]])
async def test_ids_outside_the_vocabulary_are_refused(first: Path, prompt: list[int]) -> None:
    async with serving(first) as (backend, server):
        with pytest.raises(RestepError, match="invalid_request"):
            await backend.current().generate(prompt, Sampling())
        with pytest.raises(RestepError, match="prompt_too_long"):
            await backend.current().generate([5] * 512, Sampling())
        assert server.asked == []


async def test_the_key_is_sent(first: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    keys: list[str | None] = []

    async def reply(request: Any, body: dict[str, Any]) -> Any:
        keys.append(request.headers.get("authorization"))
        return await answer([7, 2])(request, body)

    async with serving(first, reply, vllm_key_file=tmp_path / "key") as (backend, _):
        await backend.current().generate(PROMPT, Sampling())
    assert keys == ["Bearer secret"]


async def test_nothing_is_ready_before_the_first_load(first: Path) -> None:
    backend = VllmBackend(AgentSettings(checkpoint=str(first), backend="vllm"))
    with pytest.raises(RestepError, match="not_ready"):
        backend.current()
    await backend.stop()
