"""The embedded back end against transformers' own generation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    FalconMambaConfig,
    FalconMambaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from services.agent.backends.transformers import EmbeddedModel, TransformersBackend, load_model
from services.agent.checkpoint import open_checkpoint
from services.agent.settings import AgentSettings
from shared.agent_protocol import Sampling
from shared.errors import RestepError
from tests.support.tiny_model import tiny_checkpoint, tiny_tokenizer
from tests.support.waiting import until

PROMPTS = [[1, 300 + n, *range(20, 20 + 7 * n)] for n in range(1, 9)]
ENDLESS = Sampling(max_tokens=12, stop_token_ids=[])


def settings(path: Path, *, max_batch: int = 8, kv_mib: int = 64, queue: int = 64, prefill_tokens: int = 1024) -> AgentSettings:
    return AgentSettings(checkpoint=str(path), max_batch=max_batch, kv_mib=kv_mib, queue=queue, prefill_tokens=prefill_tokens)


def reference(path: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()


def generated(model: PreTrainedModel, prompt: Sequence[int], tokens: int) -> list[int]:
    ids = torch.tensor([list(prompt)])
    with torch.inference_mode():
        out = model.generate(  # pyright: ignore[reportCallIssue, reportUnknownVariableType]  # mixin method, loosely typed
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, eos_token_id=-1, pad_token_id=0
        )
    return out[0, len(prompt) :].tolist()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
async def served(path: Path) -> AsyncIterator[EmbeddedModel]:
    model = load_model(open_checkpoint(str(path)), settings(path))
    yield model
    model.engine.close()
    await asyncio.to_thread(model.engine.join)


async def test_greedy_equals_generate_in_any_company(served: EmbeddedModel, path: Path) -> None:
    model = reference(path)
    expected = [generated(model, prompt, 12) for prompt in PROMPTS]
    together = await asyncio.gather(*(served.generate(prompt, ENDLESS) for prompt in PROMPTS))
    assert [g.token_ids for g in together] == expected
    assert all(g.finish_reason == "length" for g in together)


async def test_prompts_longer_than_a_pass_are_computed_in_pieces(path: Path) -> None:
    model = load_model(open_checkpoint(str(path)), settings(path, prefill_tokens=16))
    try:
        prompt = [1 + (7 * n) % 400 for n in range(150)]
        answers = await asyncio.gather(*(model.generate(prompt[k:], ENDLESS) for k in range(4)))
        whole = reference(path)
        assert [a.token_ids for a in answers] == [generated(whole, prompt[k:], 12) for k in range(4)]
        assert model.engine.totals.passes > 150 * 4 // 16
    finally:
        model.engine.close()


async def test_later_turns_reuse_the_cache_and_answer_as_without_it(served: EmbeddedModel, path: Path) -> None:
    model = reference(path)
    prompt = [1, *range(30, 60)]
    for turn in range(4):
        answer = await served.generate(prompt, ENDLESS)
        assert answer.token_ids == generated(model, prompt, 12)
        assert answer.cached_tokens == (0 if turn == 0 else len(prompt) - 1 - 5)
        prompt = [*prompt, *answer.token_ids, 40 + turn, 41, 42, 43, 44]


async def test_branches_of_one_dialogue_do_not_spoil_each_other(served: EmbeddedModel, path: Path) -> None:
    model = reference(path)
    trunk = [1, *range(30, 70)]
    await served.generate(trunk, ENDLESS)
    branches = [[*trunk, 100 + k, 7] for k in range(6)]
    answers = await asyncio.gather(*(served.generate(branch, ENDLESS) for branch in branches))
    assert [a.token_ids for a in answers] == [generated(model, branch, 12) for branch in branches]
    assert all(a.cached_tokens >= len(trunk) - 1 for a in answers)


async def test_a_sampled_answer_depends_on_seed_and_prompt_alone(served: EmbeddedModel) -> None:
    sampling = Sampling(max_tokens=12, temperature=1.0, top_p=0.95, seed=5, stop_token_ids=[])
    alone = (await served.generate(PROMPTS[3], sampling)).token_ids
    others = [served.generate(p, Sampling(max_tokens=9, temperature=1.3, stop_token_ids=[])) for p in PROMPTS]
    crowded, *_ = await asyncio.gather(served.generate(PROMPTS[3], sampling), *others)
    other_seed = (await served.generate(PROMPTS[3], sampling.model_copy(update={"seed": 6}))).token_ids
    assert crowded.token_ids == alone
    assert other_seed != alone


async def test_logprobs_are_those_of_the_raw_distribution(served: EmbeddedModel, path: Path) -> None:
    sampling = Sampling(max_tokens=10, temperature=0.5, top_p=0.9, seed=1, stop_token_ids=[])
    answer = await served.generate(PROMPTS[2], sampling)
    ids = torch.tensor([[*PROMPTS[2], *answer.token_ids]])
    with torch.inference_mode():
        logprobs = reference(path)(input_ids=ids).logits.log_softmax(-1)[0]
    places = torch.arange(len(PROMPTS[2]) - 1, ids.shape[1] - 1)
    assert answer.logprobs == pytest.approx(logprobs[places, ids[0, len(PROMPTS[2]) :]].tolist(), abs=1e-4)


async def test_stops_on_a_stop_id_and_returns_it(served: EmbeddedModel, path: Path) -> None:
    free = generated(reference(path), PROMPTS[1], 12)
    stop = free[4]
    answer = await served.generate(PROMPTS[1], Sampling(max_tokens=12, stop_token_ids=[stop]))
    assert answer.token_ids == free[: free.index(stop) + 1]
    assert answer.finish_reason == "stop"


async def test_the_answer_ends_where_the_context_ends(served: EmbeddedModel) -> None:
    prompt = [5] * (served.context_length - 3)
    answer = await served.generate(prompt, ENDLESS)
    assert len(answer.token_ids) == 3
    with pytest.raises(RestepError, match="prompt_too_long"):
        await served.generate([5] * served.context_length, ENDLESS)


@pytest.mark.parametrize("prompt", [[], [-1], [10**6]])
async def test_ids_outside_the_vocabulary_are_refused(served: EmbeddedModel, prompt: list[int]) -> None:
    with pytest.raises(RestepError, match="invalid_request"):
        await served.generate(prompt, ENDLESS)


async def test_cancelled_requests_leave_the_batch(served: EmbeddedModel) -> None:
    long = Sampling(max_tokens=900, stop_token_ids=[])
    tasks = [asyncio.create_task(served.generate(prompt, long)) for prompt in PROMPTS]
    await until(lambda: served.engine.load[1] == len(PROMPTS))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (await served.generate(PROMPTS[0], ENDLESS)).finish_reason == "length"
    assert served.engine.totals.cancelled == len(PROMPTS)


async def test_a_full_queue_refuses(path: Path) -> None:
    model = load_model(open_checkpoint(str(path)), settings(path, max_batch=1, queue=1))
    long = Sampling(max_tokens=200, stop_token_ids=[])
    running = asyncio.create_task(model.generate(PROMPTS[0], long))
    await until(lambda: model.engine.load[:2] == (0, 1))
    waiting = asyncio.create_task(model.generate(PROMPTS[1], long))
    await asyncio.sleep(0)
    with pytest.raises(RestepError, match="queue_full") as refused:
        await model.generate(PROMPTS[2], long)
    assert refused.value.retry_after is not None
    model.engine.close()
    assert len((await running).token_ids) == len((await waiting).token_ids) == 200, "what was accepted is finished"


async def test_few_slots_bound_the_batch_and_lose_nothing(path: Path) -> None:
    model = load_model(open_checkpoint(str(path)), settings(path, kv_mib=2))
    whole = reference(path)
    answers = await asyncio.gather(*(model.generate(prompt, ENDLESS) for prompt in PROMPTS * 2))
    model.engine.close()
    assert [a.token_ids for a in answers] == [generated(whole, prompt, 12) for prompt in PROMPTS] * 2


@pytest.mark.parametrize(
    "other",
    [
        GPT2LMHeadModel(GPT2Config(vocab_size=512, n_embd=32, n_layer=2, n_head=2, n_positions=256)),
        Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=512,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=256,
            )
        ),
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=512,
                hidden_size=64,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=1,
                max_position_embeddings=256,
            )
        ),
    ],
    ids=["gpt2", "qwen2-grouped", "llama-multi-query"],
)
async def test_other_architectures_take_the_same_path(other: PreTrainedModel, tmp_path: Path) -> None:
    other.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = load_model(open_checkpoint(str(tmp_path)), settings(tmp_path))
    whole = reference(tmp_path)
    answers = await asyncio.gather(*(model.generate(prompt, ENDLESS) for prompt in PROMPTS))
    model.engine.close()
    assert [a.token_ids for a in answers] == [generated(whole, prompt, 12) for prompt in PROMPTS]


async def test_a_sliding_window_bounds_the_context(tmp_path: Path) -> None:
    config = MistralConfig(
        vocab_size=512,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        sliding_window=40,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = load_model(open_checkpoint(str(tmp_path)), settings(tmp_path))
    model.engine.close()
    assert model.context_length == 40


def test_a_model_without_attention_is_refused(tmp_path: Path) -> None:
    config = FalconMambaConfig(vocab_size=512, hidden_size=32, num_hidden_layers=1, state_size=4)
    FalconMambaForCausalLM(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(RestepError, match="unsuitable_model"):
        load_model(open_checkpoint(str(tmp_path)), settings(tmp_path))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    weights = tiny_checkpoint(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(RestepError, match="unsuitable_model"):
        load_model(open_checkpoint(str(tmp_path)), settings(tmp_path))


async def test_reload_finishes_accepted_work_on_the_old_weights(path: Path, tmp_path: Path) -> None:
    second = tiny_checkpoint(tmp_path / "second", seed=7)
    backend = TransformersBackend(settings(path))
    with pytest.raises(RestepError, match="not_ready"):
        backend.current()
    await backend.load(str(path))
    long = Sampling(max_tokens=300, stop_token_ids=[])
    before = asyncio.create_task(backend.current().generate(PROMPTS[0], long))
    await asyncio.sleep(0)
    first_model = backend.info().model
    fresh = await backend.load(str(second))
    after = await backend.current().generate(PROMPTS[0], ENDLESS)
    assert (await before).token_ids == generated(reference(path), PROMPTS[0], 300)
    assert after.token_ids == generated(reference(second), PROMPTS[0], 12)
    assert backend.info().model == fresh.checkpoint.model != first_model
    with pytest.raises(RestepError, match="checkpoint_not_found"):
        await backend.load(str(tmp_path / "absent"))
    assert backend.info().model == fresh.checkpoint.model
    same = await backend.load(str(second))
    assert same is fresh, "what is served already is not loaded again"
    await until(lambda: len(backend._engines) == 1)  # pyright: ignore[reportPrivateUsage]  # the old weights are let go
    await backend.stop()
    assert backend.counters()["reloads"] == 1
    assert backend.counters()["generated_tokens"] == 312
