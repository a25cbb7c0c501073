"""The messages of a chat are what the renderer makes ids of, in either layout of reflections."""

from __future__ import annotations

from hypothesis import given

from shared.trajectory import Trajectory
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import Said, in_messages, sample, trajectory, written_dialogues
from trainer.chat_messages import chat_messages
from trainer.render import Renderer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer.from_tokenizer(TOKENIZER)


def rendered_by_the_template(one: Trajectory) -> list[int]:
    messages = [{"role": message.role, "content": message.text} for message in chat_messages(one)]
    text = str(TOKENIZER.apply_chat_template(messages, tokenize=False)).removesuffix("\n")
    return TOKENIZER.encode(text)


@given(written_dialogues())
def test_the_template_makes_of_them_the_ids_that_are_trained(said: list[Said]) -> None:
    one = trajectory(said)
    assert rendered_by_the_template(one) == RENDERER.render(one).input_ids.tolist()


def test_every_step_is_in_one_answer_and_in_order() -> None:
    for one in [*sample(), in_messages()]:
        messages = chat_messages(one)
        assert [step for message in messages for step in message.steps] == one.steps
        assert {message.role for message in messages if message.steps} == {"assistant"}
        assert [message.role for message in messages[:3]] == ["system", "user", "assistant"]
        assert messages[-1].role == "assistant"
