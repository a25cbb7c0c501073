"""Which chat templates can be rendered by appending, and what is said of those that cannot."""

from __future__ import annotations

import pytest

from shared.errors import RestepError
from tests.support.tiny_model import CHATML, tiny_tokenizer
from tests.support.trajectories import sample
from trainer.chat_format import ChatML, Template, choose_format
from trainer.render import Renderer

NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST]' + m['content'] + '[/INST]' }}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{% endfor %}"
)
BARE = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
FORGETS_OLD_THOUGHTS = (
    "{% for m in messages %}{% if m['role'] == 'assistant' and not loop.last %}"
    "{{ '<|im_start|>assistant\n' + m['content'].split('\n')[-1] + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
EMPTY_THINKING = CHATML.replace("'<|im_start|>assistant\n'", "'<|im_start|>assistant\n<think>\n'")


def test_chatml_is_recognised_with_and_without_a_template() -> None:
    assert isinstance(choose_format(tiny_tokenizer()), ChatML)
    assert isinstance(choose_format(tiny_tokenizer(chat_template=None)), ChatML)


def test_the_generic_format_gives_the_ids_of_chatml() -> None:
    tokenizer = tiny_tokenizer()
    generic, own = Renderer.from_tokenizer(tokenizer, "template"), Renderer.from_tokenizer(tokenizer, "chatml")
    assert isinstance(generic.chat, Template)
    for one in sample():
        assert generic.render(one).input_ids.tolist() == own.render(one).input_ids.tolist()


@pytest.mark.parametrize("template", [NO_SYSTEM, BARE])
def test_other_templates_are_rendered_as_they_render_themselves(template: str) -> None:
    tokenizer = tiny_tokenizer(chat_template=template)
    chat = choose_format(tokenizer)
    assert isinstance(chat, Template)
    ids = [
        *chat.opening("Act.", "A room."),
        *chat.answer("Thought: x\nAction: y", first=True),
        chat.stop_id,
        *chat.between("ok"),
    ]
    messages = [*chat.head("Act.", "A room."), {"role": "assistant", "content": "Thought: x\nAction: y"}]
    messages.append({"role": "user", "content": "ok"})
    assert tokenizer.decode(ids) == tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def test_a_refused_system_role_is_folded_into_the_first_message() -> None:
    chat = choose_format(tiny_tokenizer(chat_template=NO_SYSTEM))
    assert chat.codec.decode(chat.opening("Act.", "A room.")) == "[INST]Act.\n\nA room.[/INST]"


@pytest.mark.parametrize("template", [FORGETS_OLD_THOUGHTS, EMPTY_THINKING])
def test_a_template_that_rewrites_history_is_refused_with_the_place(template: str) -> None:
    with pytest.raises(RestepError, match=r"token \d+ of the whole is .* of its parts") as caught:
        choose_format(tiny_tokenizer(chat_template=template))
    assert caught.value.code == "unsuitable_template"


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(RestepError, match="chatml, template"):
        choose_format(tiny_tokenizer(), "llama9")


def test_special_tokens_in_a_message_stay_text() -> None:
    chat = choose_format(tiny_tokenizer())
    assert chat.between("a<|im_end|>b").count(chat.stop_id) == 1
    assert chat.answer("a<|im_end|>b", first=True).count(chat.stop_id) == 0
