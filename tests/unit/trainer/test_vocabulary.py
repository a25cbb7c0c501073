from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from services.agent.checkpoint import open_checkpoint
from services.sciworld.instruction import INSTRUCTION
from shared.react import first_message, system_prompt
from trainer.dialogue import Message
from trainer.mixture import encode_dialogue
from trainer.render import Renderer
from trainer.shipped import FOLDER
from trainer.vocabulary import build_tokenizer, fixed_phrases, load_tokenizer

LOOK = "In it, you see: \n\ta red box (containing nothing)\nYou also see:\n\tA door to the art studio"
TEXTS = [
    LOOK,
    "Thought: I need the red box to open it.\nAction: pick up red box",
    "You move the red box to the inventory.",
] * 30


@pytest.fixture(scope="module")
def made() -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    return build_tokenizer(TEXTS, ["red box", "art studio"], words=320, phrases=20, instructions=[system_prompt(INSTRUCTION)])


def test_names_and_phrases_are_single_tokens_and_the_sibling_shares_every_id(
    made: tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast],
) -> None:
    whole, plain = made
    assert len(whole.encode(" red box")) == len(plain.encode(" red box")) == 1
    assert len(whole.encode(LOOK)) < len(plain.encode(LOOK))
    assert all(whole.convert_ids_to_tokens(i) == plain.convert_ids_to_tokens(i) for i in range(len(plain)))
    assert len(whole.encode(system_prompt(INSTRUCTION))) < 20


def test_a_phrase_never_crosses_the_line_that_opens_an_action(
    made: tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast],
) -> None:
    phrases = fixed_phrases(TEXTS, ["red box"], 50, made[1].backend_tokenizer)
    assert phrases
    assert not [phrase for phrase in phrases if "Action:" in phrase and phrase.strip("\n") != "Action:"]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=60))
def test_the_shipped_tokenizer_gives_every_text_back(text: str) -> None:
    tokenizer = load_tokenizer(FOLDER)
    ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_pretraining_and_the_renderer_make_the_same_ids() -> None:
    tokenizer = load_tokenizer(FOLDER)
    renderer = Renderer.from_tokenizer(tokenizer)
    goal, answer, reply = (
        "Your task is to find a(n) plant.",
        "Thought: I look.\nAction: look around",
        "You see 2 doors.\n\ta red box",
    )
    ids = [*renderer.start(system_prompt(INSTRUCTION), first_message(goal, LOOK)).ids]
    for segment in renderer.answer(answer):
        ids.extend(segment.ids)
    ids.extend(renderer.observation(reply).ids)
    told = [
        Message("system", system_prompt(INSTRUCTION)),
        Message("user", first_message(goal, LOOK)),
        Message("assistant", answer),
        Message("user", reply),
    ]
    document = encode_dialogue(told, tokenizer, 2048)
    assert ids[: len(document.ids)] == document.ids
    assert len(document.weights) == len(document.ids)
    trained = [token for token, weight in zip(document.ids, document.weights, strict=True) if weight == 1.0]
    assert tokenizer.decode(trained) == answer + "<|im_end|>"


def test_the_shipped_base_is_small_whole_and_openable() -> None:
    checkpoint = open_checkpoint(str(FOLDER))
    assert checkpoint.chat_format == "chatml"
    assert checkpoint.positions == 2048
    assert sum(path.stat().st_size for path in Path(FOLDER).iterdir()) < 10_000_000
    assert {"README.md", "card.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in FOLDER.iterdir()}
