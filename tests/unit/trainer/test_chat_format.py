"""Which chat templates can be rendered by appending, and what is said of those that cannot."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from shared.errors import RestepError
from tests.support.sentence_pieces import llama_tokenizer, vocabulary_file
from tests.support.tiny_model import CHATML, tiny_tokenizer
from tests.support.trajectories import sample
from trainer.chat_format import FORMATS, ChatFormat, ChatML, Template, choose_format
from trainer.finetune_config import ChatFormatName
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
ORDINARY_END = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
SPACED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|assistant|> ' + m['content'] + ' ' + eos_token + '\n' }}"
    "{% else %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
FITTING = {
    "cohere": "template",
    "gemma": "template",
    "gemma3": "template",
    "llama3": "template",
    "llama3_1": "template",
    "phi3": "template",
    "qwen2_5": "chatml",
    "qwen3_instruct_2507": "chatml",
}
"""Of the templates that TRL carries, models that people train, and the format each must get."""
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
    with pytest.raises(RestepError, match="chatml, llama2, template"):
        choose_format(tiny_tokenizer(), "llama9")


def test_a_recipe_can_name_each_format_and_no_other() -> None:
    assert set(get_args(ChatFormatName)) == FORMATS.keys()


def test_special_tokens_in_a_message_stay_text() -> None:
    chat = choose_format(tiny_tokenizer())
    assert chat.between("a<|im_end|>b").count(chat.stop_id) == 1
    assert chat.answer("a<|im_end|>b", first=True).count(chat.stop_id) == 0


def _whole(chat: ChatFormat, dialogue: list[tuple[str, str]]) -> tuple[list[int], list[int]]:
    """Ids of a dialogue appended piece by piece, and those of its template applied to the whole."""
    ids: list[int] = []
    messages: list[dict[str, str]] = []
    for turn, (user, answer) in enumerate(dialogue):
        ids += chat.between(user) if turn else chat.opening("Act.", user)
        messages += [{"role": "user", "content": user}] if turn else chat.head("Act.", user)
        ids += [*chat.answer(answer, first=True), chat.stop_id]
        messages.append({"role": "assistant", "content": answer})
    return ids, chat.codec.encode(chat.codec.template(messages, prompt=False), special=True)


DIALOGUE = [("A room.", "Thought: x\nAction: go to 3"), ("ok, 2 doors", "Thought: y"), ("Done.", "Thought: z\nAction: wait")]


def test_every_template_that_trl_carries_is_rendered_as_it_renders_itself_or_refused_with_the_place() -> None:
    chosen: dict[str, str] = {}
    refused: dict[str, RestepError] = {}
    for path in files("trl").joinpath("chat_templates").iterdir():
        if not path.name.endswith(".jinja"):
            continue
        template = path.read_text()
        tokenizer = tiny_tokenizer(chat_template=template)
        marks = sorted(set(re.findall(r"<\|?[\w｜▁|/]+\|?>|\[/?[A-Z_]+\]", template)))
        tokenizer.add_special_tokens({"additional_special_tokens": marks, "bos_token": "<s>"})
        try:
            chat = choose_format(tokenizer)
        except RestepError as error:
            refused[path.name] = error
            continue
        ours, whole = _whole(chat, DIALOGUE)
        assert ours == whole[: len(ours)], path.name
        chosen[Path(path.name).stem] = chat.name
    assert FITTING.items() <= chosen.items()
    assert {error.code for error in refused.values()} == {"unsuitable_template"}
    assert all(re.search(r"token \d+ of the whole is .* of its parts|refuses a dialogue", str(one)) for one in refused.values())


@pytest.mark.parametrize("template", [SPACED, SPACED.replace("|> ' + m", "|>' + m").replace("' ' + eos", "eos")])
@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("special", [(), ("<|user|>", "<|assistant|>")])
def test_sentence_pieces_are_rendered_as_their_template_renders_itself(
    special: tuple[str, ...], legacy: bool, template: str, tmp_path: Path
) -> None:
    vocabulary_file(tmp_path)
    chat = choose_format(llama_tokenizer(tmp_path, template=template, legacy=legacy, special=special))
    assert isinstance(chat, Template)
    ours, whole = _whole(chat, DIALOGUE)
    assert ours == whole[: len(ours)]
    parts = [*chat.answer("Thought: a.", first=True, last=False), *chat.answer(" I go.\nAction: b", first=False)]
    assert parts == chat.answer("Thought: a. I go.\nAction: b", first=True)


def test_an_answer_that_ends_in_ordinary_text_is_refused() -> None:
    with pytest.raises(RestepError, match=r"ends an answer with '\\n', which is no special token"):
        choose_format(tiny_tokenizer(chat_template=ORDINARY_END))
