"""OpenAI's own client against the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from services.agent.app import create_app
from services.agent.settings import AgentSettings
from shared.react import first_message
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint, tiny_tokenizer
from tests.support.trajectories import sample
from trainer.chat_messages import assistant_turns
from trainer.render import Renderer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    secret = tmp_path / "token"
    secret.write_text("sesame")
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    application = create_app(AgentSettings(checkpoint=str(checkpoint), token_file=secret, kv_mib=64))
    async with live(application) as url, openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sesame", max_retries=0) as client:
        yield client


async def test_chat_whole_and_streamed(client: openai.AsyncOpenAI) -> None:
    model = (await client.models.list()).data[0].id
    whole = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Boil water."}], seed=3, max_completion_tokens=10, logprobs=True
    )
    assert whole.model == model
    assert whole.usage is not None
    assert whole.choices[0].logprobs is not None
    assert whole.choices[0].logprobs.content is not None
    assert len(whole.choices[0].logprobs.content) == whole.usage.completion_tokens
    chunks = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Boil water."}], seed=3, max_completion_tokens=10, stream=True
    )
    texts = [chunk.choices[0].delta.content or "" async for chunk in chunks]
    assert "".join(texts) == whole.choices[0].message.content


async def test_completions_by_text_and_by_ids(client: openai.AsyncOpenAI) -> None:
    by_text = await client.completions.create(
        model="tiny", prompt="Thought", temperature=0, extra_body={"return_token_ids": True}
    )
    extra = by_text.choices[0].model_extra
    assert extra is not None
    by_ids = await client.completions.create(model="tiny", prompt=extra["prompt_token_ids"], temperature=0)
    assert by_ids.choices[0].text == by_text.choices[0].text


async def test_a_chat_is_prompted_with_the_ids_that_are_trained(client: openai.AsyncOpenAI) -> None:
    renderer = Renderer.from_tokenizer(tiny_tokenizer())
    one = sample()[0]
    trained = renderer.render(one).input_ids.tolist()
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": one.protocol.system},
        {"role": "user", "content": first_message(one.task.goal, one.observation)},
    ]
    for turn in assistant_turns(one.steps):
        answer = await client.chat.completions.create(
            model="tiny", messages=messages, max_completion_tokens=1, extra_body={"return_token_ids": True}
        )
        assert answer.model_extra is not None
        prompt = answer.model_extra["prompt_token_ids"]
        assert prompt == trained[: len(prompt)]
        said = "".join(step.text for step in turn)
        assert renderer.chat.codec.decode(trained[len(prompt) :]).startswith(f"{said}<|im_end|>")
        messages.append({"role": "assistant", "content": said})
        messages.append({"role": "user", "content": turn[-1].observation or ""})


async def test_errors_arrive_as_the_client_s_own(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.completions.create(model="gpt-4", prompt="x")
    assert unknown.value.code == "unknown_model"
    with pytest.raises(openai.UnprocessableEntityError, match="n: Input should be less than or equal to 1"):
        await client.completions.create(model="tiny", prompt="x", n=2)
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="guess").models.list()
