"""Llama 2's format is Meta's reference, id for id, on a SentencePiece vocabulary (P11), and keeps the renderer's invariants."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from shared.errors import RestepError
from shared.react import first_message, turn_text
from shared.trajectory import Trajectory
from tests.support.prefixes import assert_prefixes
from tests.support.sentence_pieces import TEMPLATE, Meta, llama_tokenizer, vocabulary_file
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import TEXT, Said, sample, trajectories, trajectory
from trainer.chat_format import Codec, Llama2, choose_format
from trainer.chat_messages import assistant_turns
from trainer.checkpoint import open_base
from trainer.finetune import finetune
from trainer.finetune_config import FinetuneConfig
from trainer.render import Renderer

with tempfile.TemporaryDirectory() as _folder:
    META = Meta(vocabulary_file(Path(_folder)))
    TOKENIZER = llama_tokenizer(Path(_folder))
    BARE = llama_tokenizer(Path(_folder), template=None)
    NOT_LEGACY = llama_tokenizer(Path(_folder), legacy=False)
RENDERER = Renderer.from_tokenizer(TOKENIZER)
START, STOP = 1, 2


def _dialogue(one: Trajectory) -> list[tuple[str, str]]:
    turns = list(assistant_turns(one.steps))
    users = [first_message(one.task.goal, one.observation), *(turn[-1].observation or "" for turn in turns[:-1])]
    return [(user, "".join(step.text for step in turn)) for user, turn in zip(users, turns, strict=True)]


@st.composite
def written(draw: st.DrawFn) -> Trajectory:
    """Documents of written text alone; a correction goes on after its reflection with a space, as ours do."""
    said: list[Said] = []
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            said.append(Said("reflection", f"Thought: {draw(TEXT)}."))
            said.append(Said("correction", f" It {draw(TEXT)}", draw(TEXT)))
        else:
            said.append(Said(draw(st.sampled_from(["golden", "error"])), draw(TEXT), draw(TEXT)))
    return trajectory(said, observation=draw(TEXT))


@given(written())
def test_ids_and_weights_are_those_of_metas_rules(one: Trajectory) -> None:
    rendered = RENDERER.render(one, [1.0] * len(one.steps))
    pairs = META.pairs(one.protocol.system, _dialogue(one))
    assert rendered.input_ids.tolist() == [i for ids, _ in pairs for i in ids]
    trained = [place >= begin for ids, begin in pairs for place in range(len(ids))]
    assert (rendered.weights > 0).tolist() == trained


@pytest.mark.parametrize("one", sample())
def test_the_vendors_template_says_the_same(one: Trajectory) -> None:
    messages = [{"role": "system", "content": one.protocol.system}]
    for user, answer in _dialogue(one):
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
    text = str(TOKENIZER.apply_chat_template(messages, tokenize=False))
    assert RENDERER.render(one).input_ids.tolist() == TOKENIZER.encode(text, add_special_tokens=False)


@given(trajectories(vocabulary=len(TOKENIZER)))
def test_a_rendered_prefix_is_a_prefix_of_the_whole(one: Trajectory) -> None:
    assert_prefixes(RENDERER, one)


@given(trajectories(vocabulary=len(TOKENIZER)))
def test_one_bos_for_each_pair_and_one_stop_token_for_each_answer_whatever_the_texts_say(one: Trajectory) -> None:
    rendered = RENDERER.render(one)
    turns = len(list(assistant_turns(one.steps)))
    assert int((rendered.input_ids == STOP).sum()) == int((rendered.input_ids == START).sum()) == turns
    doubled = (rendered.input_ids[1:] == START) & (rendered.input_ids[:-1] == START)
    assert not doubled.any()


def test_sampled_ids_are_kept_with_or_without_the_space_before_their_stop_token() -> None:
    spoken = RENDERER.chat.codec.encode_inside(" Thought: a")
    for ids in (spoken, [*spoken, *TOKENIZER.encode(" ", add_special_tokens=False)]):
        segments = RENDERER.answer([*ids, STOP])
        assert [i for segment in segments for i in segment.ids] == [*ids, STOP]


def test_an_answer_of_two_parts_is_the_answer_of_one() -> None:
    whole = RENDERER.answer("Thought: I look. I go.\nAction: go")
    parts = RENDERER.answer("Thought: I look.", " I go.\nAction: go")
    assert [i for one in parts for i in one.ids] == [i for one in whole for i in one.ids]


def test_it_is_recognised_with_its_template_and_without_one() -> None:
    assert isinstance(choose_format(TOKENIZER), Llama2)
    assert isinstance(choose_format(BARE), Llama2)
    ids, bare = (one.render(sample()[0]).input_ids.tolist() for one in (RENDERER, Renderer.from_tokenizer(BARE)))
    assert bare == ids


@pytest.mark.parametrize("legacy", [True, False])
def test_a_trained_checkpoint_is_read_again_with_the_ids_it_was_trained_on(legacy: bool, tmp_path: Path) -> None:
    vocabulary_file(tmp_path / "base")
    tokenizer = llama_tokenizer(tmp_path / "base", legacy=legacy)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(tmp_path / "base")  # pyright: ignore[reportArgumentType]  # keywords of several types
    config = FinetuneConfig(base=str(tmp_path / "base"), output=tmp_path / "out", epochs=1, threads=1, device="cpu")
    finetune(config, sample())
    before, after = (Renderer.from_tokenizer(open_base(str(tmp_path / name)).tokenizer) for name in ("base", "out"))
    assert before.chat.name == after.chat.name == ("llama2" if legacy else "template")
    for one in sample():
        assert after.render(one).input_ids.tolist() == before.render(one).input_ids.tolist()


def test_the_tokenisation_that_is_not_legacy_is_refused_by_its_first_token_and_rendered_by_its_template() -> None:
    # after a BOS it writes '[' where Meta's code, and so the model's training, has '▁['
    with pytest.raises(RestepError, match=r"token 1 of the whole is '\[' .* of its parts '▁'") as caught:
        choose_format(NOT_LEGACY, "llama2")
    assert caught.value.code == "unsuitable_template"
    assert choose_format(NOT_LEGACY).name == "template"


def test_another_vocabulary_is_refused() -> None:
    with pytest.raises(RestepError, match="sentence pieces"):
        choose_format(tiny_tokenizer(chat_template=None), "llama2")


def test_the_template_of_the_test_is_append_only_in_general_too() -> None:
    generic = Renderer.from_tokenizer(TOKENIZER, "template")
    plain = trajectory([Said("golden", turn_text("I look.", "look around")), Said("golden", turn_text("I go.", "go"))])
    assert TOKENIZER.chat_template == TEMPLATE
    assert generic.render(plain).input_ids.tolist() == RENDERER.render(plain).input_ids.tolist()


@given(TEXT, TEXT)
def test_what_follows_other_text_is_encoded_without_a_space_of_its_own(before: str, text: str) -> None:
    codec = Codec(TOKENIZER)
    inside = codec.encode_inside(f" {text}")
    assert codec.encode(f"x{before.rstrip()}") + inside == codec.encode(f"x{before.rstrip()} {text}")
