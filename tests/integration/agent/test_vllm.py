"""The agent service on a real vLLM (its build for processors is the same server) with tiny random models."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from services.agent.app import create_app
from services.agent.backends.vllm import VllmBackend
from services.agent.settings import AgentSettings
from services.agent.vllm.supervised import SupervisedServer
from shared.agent_protocol import AgentTurn, Sampling
from shared.client.agent import AgentClient
from shared.errors import RestepError
from shared.react import parse_turn
from tests.support.live import live
from tests.support.tiny_adapter import merged, tiny_adapter
from tests.support.tiny_model import tiny_checkpoint
from tests.support.waiting import until

PYTHON = os.environ.get("RESTEP_VLLM_PYTHON")
pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="needs vLLM: make vllm, RESTEP_VLLM_PYTHON"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]

PROMPTS = [[1, 300 + n, *range(20, 60 + 3 * n)] for n in range(8)]
ENDLESS = Sampling(max_tokens=16, stop_token_ids=[], logprobs=True)


@dataclass(frozen=True, slots=True)
class Models:
    """Checkpoints of one shape, adapters of the first, one with tied embeddings."""

    first: Path
    second: Path
    tied: Path
    adapters: tuple[Path, ...]
    merged: Path


@dataclass(frozen=True, slots=True)
class Running:
    """A service over one vLLM that all tests share; each leaves it serving ``models.first``."""

    client: AgentClient
    backend: VllmBackend
    url: str
    models: Models

    @property
    def pid(self) -> int:
        server = self.backend.current().server
        assert isinstance(server, SupervisedServer)
        assert server.pid is not None
        return server.pid


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("checkpoints")
    first, second = (tiny_checkpoint(folder / str(seed), seed=seed, head=32, spread=0.2) for seed in (0, 7))
    adapters = tuple(tiny_adapter(folder / f"adapter{seed}", first, seed=seed) for seed in range(9))
    tied = tiny_checkpoint(folder / "tied", seed=3, head=32, spread=0.2, tied=True)
    return Models(first, second, tied, adapters, merged(folder / "merged", first, adapters[0]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(models: Models) -> AsyncIterator[Running]:
    assert PYTHON is not None
    settings = AgentSettings(checkpoint=str(models.first), backend="vllm", vllm_python=Path(PYTHON), kv_mib=128, lora_rank=8)
    backend = VllmBackend(settings)
    app = create_app(settings, backend)
    async with live(app) as url, AgentClient(url, timeout=600) as client:
        yield Running(client, backend, url, models)


def reference(path: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()


def greedy(path: Path, prompts: Sequence[Sequence[int]], tokens: int = 16) -> list[list[int]]:
    """What transformers says, without any cache of its own that could be wrong."""
    model = reference(path)
    answers: list[list[int]] = []
    with torch.inference_mode():
        for prompt in prompts:
            ids = list(prompt)
            for _ in range(tokens):
                ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
            answers.append(ids[len(prompt) :])
    return answers


async def together(client: AgentClient, sampling: Sampling = ENDLESS) -> list[AgentTurn]:
    return await asyncio.gather(*(client.act(prompt, sampling) for prompt in PROMPTS))


async def accepted(running: Running, max_tokens: int) -> list[asyncio.Task[AgentTurn]]:
    """Long answers to all prompts, each of them begun; on a machine that is busy with other things some may be finished."""
    sampling = Sampling(max_tokens=max_tokens, stop_token_ids=[])
    asked = [asyncio.create_task(running.client.act(prompt, sampling)) for prompt in PROMPTS]
    turnstile = running.backend.current().server.turnstile
    await until(lambda: turnstile.inside + sum(task.done() for task in asked) == len(PROMPTS))
    return asked


def ids(turns: Sequence[AgentTurn]) -> list[list[int]]:
    return [turn.token_ids for turn in turns]


async def test_greedy_equals_transformers_and_ids_go_round(running: Running) -> None:
    info = await running.client.info()
    assert (info.backend, info.checkpoint, info.chat_format) == ("vllm", str(running.models.first), "chatml")
    turns = await together(running.client)
    assert ids(turns) == greedy(running.models.first, PROMPTS)
    assert {turn.model for turn in turns} == {info.model}
    later = [[*prompt, *turn.token_ids, 40, 41] for prompt, turn in zip(PROMPTS, turns, strict=True)]
    again = await asyncio.gather(*(running.client.act(prompt, ENDLESS) for prompt in later))
    assert ids(again) == greedy(running.models.first, later)
    assert all(turn.usage.cached_tokens >= 32 for turn in again), "the prefix is not computed again"


async def test_many_long_prompts_are_sampled_at_once(running: Running) -> None:
    """More tokens than vLLM takes into one pass: it must not cut a prompt that is sampled by a seed."""
    prompts = [[1, 300 + n, *(20 + (7 * n + place) % 400 for place in range(800))] for n in range(12)]
    sampling = [Sampling(max_tokens=8, temperature=1.0, seed=n, stop_token_ids=[]) for n in range(len(prompts))]
    restarts = running.backend.counters()["restarts"]
    asked = zip(prompts, sampling, strict=True)
    turns = await asyncio.gather(*(running.client.act(prompt, one) for prompt, one in asked))
    assert {len(turn.token_ids) for turn in turns} == {8}
    assert running.backend.counters()["restarts"] == restarts


async def test_a_stop_text_ends_an_answer_before_it(running: Running) -> None:
    free = await running.client.act(PROMPTS[0], ENDLESS)
    stop = free.text[len(free.text) // 2 :][:2]
    body = {"prompt_token_ids": PROMPTS[0], **ENDLESS.model_dump(), "stop": [stop]}
    async with httpx.AsyncClient(timeout=600) as client:
        turn = AgentTurn.model_validate((await client.post(f"{running.url}/v1/react/steps", json=body)).json())
    assert turn.text == free.text[: free.text.index(stop)]
    assert turn.token_ids == free.token_ids[: len(turn.token_ids)]
    assert turn.finish_reason == "stop"


async def test_logprobs_are_those_of_the_raw_distribution(running: Running) -> None:
    sampling = Sampling(max_tokens=12, temperature=0.6, top_p=0.9, seed=1, stop_token_ids=[], logprobs=True)
    turns = await together(running.client, sampling)
    model = reference(running.models.first)
    for prompt, turn in zip(PROMPTS, turns, strict=True):
        with torch.inference_mode():
            rows = model(input_ids=torch.tensor([[*prompt, *turn.token_ids]])).logits.log_softmax(-1)[0]
        expected = [float(rows[len(prompt) - 1 + n, token]) for n, token in enumerate(turn.token_ids)]
        assert turn.logprobs == pytest.approx(expected, abs=2e-3)
    assert ids(await together(running.client, sampling)) == ids(turns), "a seed repeats an answer"


async def test_a_stop_id_ends_the_answer_and_is_in_it(running: Running) -> None:
    free = (await running.client.act(PROMPTS[1], ENDLESS)).token_ids
    turn = await running.client.act(PROMPTS[1], Sampling(max_tokens=16, stop_token_ids=[free[5]], logprobs=True))
    assert turn.token_ids == free[: free.index(free[5]) + 1]
    assert turn.finish_reason == "stop"
    assert turn.logprobs is not None
    assert len(turn.logprobs) == len(turn.token_ids)


async def test_openai_routes_stream_and_stop_on_strings(running: Running) -> None:
    body = {"model": (await running.client.info()).model, "prompt": PROMPTS[2], "max_tokens": 16, "temperature": 0}
    async with httpx.AsyncClient(base_url=running.url, timeout=120) as http:
        whole = (await http.post("/v1/completions", json={**body, "stop_token_ids": []})).json()["choices"][0]["text"]
        stop = whole[4:7]
        cut = (await http.post("/v1/completions", json={**body, "stop_token_ids": [], "stop": stop})).json()["choices"][0]
        events = (await http.post("/v1/completions", json={**body, "stop_token_ids": [], "stream": True})).text
    assert (cut["text"], cut["finish_reason"]) == (whole[: whole.index(stop)], "stop")
    assert events.rstrip().endswith("data: [DONE]")


async def test_constrained_answers_name_one_of_the_actions(running: Running) -> None:
    actions = ["open door (closed)", 'say "a\\b"', "go to café", "look"]
    sampling = [Sampling(max_tokens=900, temperature=1.0, seed=seed, admissible_actions=actions) for seed in range(8)]
    turns = await asyncio.gather(*(running.client.act(PROMPTS[0], one) for one in sampling))
    for turn in turns:
        assert turn.format_error is None
        assert turn.finish_reason == "stop"
        assert parse_turn(turn.text).action in actions
    assert len({turn.action for turn in turns}) > 1
    with pytest.raises(RestepError, match="invalid_request"):
        await running.client.act(PROMPTS[0], Sampling(stop_token_ids=[7], admissible_actions=actions))


async def test_adapters_come_and_go_while_others_are_answered(running: Running) -> None:
    models, client = running.models, running.client
    base = ids(await together(client))
    process = running.pid
    early = await accepted(running, max_tokens=600)
    loaded = await client.load(str(models.adapters[0]))
    late = await together(client)
    assert ids(late) == greedy(models.merged, PROMPTS)
    assert {turn.model for turn in late} == {loaded.model}
    assert loaded.model.startswith("adapter0@")
    finished = await asyncio.gather(*early)
    assert [turn.token_ids[:16] for turn in finished] == base, "what was accepted before was answered by the base"
    assert {turn.model for turn in finished} != {loaded.model}
    assert running.pid == process, "the server went on"
    await client.load(str(models.first))
    assert ids(await together(client)) == base


async def test_weights_are_exchanged_in_place(running: Running) -> None:
    models, client = running.models, running.client
    process = running.pid
    before = await together(client)
    early = await accepted(running, max_tokens=400)
    loading = asyncio.create_task(client.load(str(models.second)))
    during = [asyncio.create_task(client.act(prompt, ENDLESS)) for prompt in PROMPTS]
    loaded = await loading
    after = await together(client)
    assert ids(after) == greedy(models.second, PROMPTS)
    assert {turn.model for turn in after} == {loaded.model}
    for turn, one, other in zip(await asyncio.gather(*during), before, after, strict=True):
        assert turn.token_ids == (one if turn.model == one.model else other).token_ids, "no answer is of two checkpoints"
    finished = await asyncio.gather(*early)
    assert [turn.token_ids[:16] for turn in finished] == ids(before)
    assert {turn.model for turn in finished} == {before[0].model}
    assert running.pid == process
    await client.load(str(models.first))
    assert ids(await together(client)) == ids(before)


async def test_what_cannot_be_loaded_leaves_what_is_served(running: Running, tmp_path: Path) -> None:
    models, client = running.models, running.client
    info = await client.info()
    strong = tiny_adapter(tmp_path / "strong", models.first, rank=16)
    with pytest.raises(RestepError, match="rank 16"):
        await client.load(str(strong))
    empty = tiny_adapter(tmp_path / "empty", models.first)
    (empty / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(RestepError, match="unsuitable_model"):
        await client.load(str(empty))
    assert await client.info() == info
    assert ids(await together(client)) == greedy(models.first, PROMPTS)


async def test_no_step_is_lost_when_vllm_dies(running: Running) -> None:
    """Episodes of three turns, a crash among them: every answer is the one that would have been given without."""
    client = running.client
    expected = await asyncio.gather(*(_episode(client, n) for n in range(32)))
    restarts = running.backend.counters()["restarts"]
    playing = [asyncio.create_task(_episode(client, n, max_tokens=60)) for n in range(32)]
    await until(lambda: running.backend.current().server.turnstile.inside >= 8)
    process = running.pid
    os.killpg(process, signal.SIGKILL)
    played = await asyncio.gather(*playing)
    assert [[turn[:8] for turn in episode] for episode in played] == expected
    assert running.backend.counters()["restarts"] == restarts + 1
    assert running.backend.counters()["asked_again"] > 0
    assert running.pid != process


async def _episode(client: AgentClient, number: int, max_tokens: int = 8) -> list[list[int]]:
    """Three turns, each after the first eight ids of the last."""
    dialogue, turns = [1, 100 + number, *range(20, 40)], list[list[int]]()
    for turn in range(3):
        said = await client.act(dialogue, Sampling(max_tokens=max_tokens, stop_token_ids=[]))
        turns.append(said.token_ids)
        dialogue = [*dialogue, *said.token_ids[:8], 50 + turn, 51]
    return turns


async def test_other_shapes_get_a_server_of_their_own(running: Running) -> None:
    """Tied embeddings cannot be exchanged in place; the old server answers until the new one does, then leaves."""
    models, client = running.models, running.client
    process = running.pid
    loading = asyncio.create_task(client.load(str(models.tied)))
    while not loading.done():
        turn = await client.act(PROMPTS[0], ENDLESS)
        assert turn.model.startswith(("0@", "tied@"))
    turns = await together(client)
    assert ids(turns) == greedy(models.tied, PROMPTS)
    assert {turn.model for turn in turns} == {(await loading).model}
    assert running.pid != process
    await until(lambda: not _alive(process))
    await client.load(str(models.first))
    assert ids(await together(client)) == greedy(models.first, PROMPTS)


async def test_the_last_adapter_slot_stays_empty(running: Running) -> None:
    """With it filled, vLLM's build for processors answers base requests beside an adapter's with what is in it."""
    models, client = running.models, running.client
    process = running.pid
    for path in models.adapters:
        await client.load(str(path))
    assert running.pid != process, "a fresh server came before the last slot"
    adapter = running.backend.current()
    await client.load(str(models.first))
    base = running.backend.current()
    assert base.server is adapter.server
    mixed = await asyncio.gather(*(model.generate(prompt, ENDLESS) for prompt in PROMPTS for model in (base, adapter)))
    assert [answer.token_ids for answer in mixed[::2]] == greedy(models.first, PROMPTS)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
