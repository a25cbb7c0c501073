from __future__ import annotations

import random

import numpy as np
import pytest

from trainer.dialogue import Message
from trainer.mixture import OBSERVATION_WEIGHT, Document, Mixture, Source, encode_dialogue
from trainer.play import Play, PlayStep
from trainer.shipped import FOLDER
from trainer.vocabulary import load_tokenizer
from trainer.worlds.alfworld import AlfworldPlays, AlfworldWorld
from trainer.worlds.sciworld import SciworldPlays, SciworldWorld
from trainer.worlds.world import World

LOOK = "This room is called the kitchen. In it, you see: \n" + "\n".join(f"\ta {name}" for name in ("red box", "banana", "jug"))
NAMES = ["red box", "banana", "jug", "axe", "lighter", "bowl", "shovel", "battery", "wolf", "bed", "cup", "drawer"]


ARRIVAL = "You arrive at desk 1. On the desk 1, you see a mug 1, and a pen 2."
KINDS = ["desk", "mug", "pen", "shelf", "drawer", "bed", "cd", "book", "box", "pillow", "safe", "laptop", "cup"]


def sources(share: float = 0.4) -> list[Source]:
    pick = PlayStep("pick up banana", "You move the banana to the inventory.", ("pick", "banana"))
    rooms = [Play("errand", f"boil/{i}", "goal", LOOK, (pick,) * (i % 3 + 1)) for i in range(5)]
    steps = (
        PlayStep("go to desk 1", ARRIVAL, ("search", "mug", "desk 1")),
        PlayStep("take mug 1 from desk 1", "You pick up the mug 1 from the desk 1.", ("take", "mug 1", "desk 1")),
    )
    houses = [Play("errand", f"embedded_train/{i}", "goal", "You see a desk 1.", steps) for i in range(5)]
    worlds: list[World] = [SciworldWorld(SciworldPlays()), AlfworldWorld(AlfworldPlays(share=share))]
    return [Source(worlds[0], rooms, NAMES), Source(worlds[1], houses, KINDS)]


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    tokenizer = load_tokenizer(FOLDER)
    return Mixture(sources(), tokenizer, tokenizer, seed=3)


def test_a_batch_depends_on_seed_and_number_alone(mixture: Mixture) -> None:
    first, again, other = (mixture.batch(number, 0.5, 2000, 1000) for number in (7, 7, 8))
    assert len(first) == len(again)
    assert all(np.array_equal(a.ids, b.ids) and np.array_equal(a.weights, b.weights) for a, b in zip(first, again, strict=True))
    assert not (len(first) == len(other) and all(np.array_equal(a.ids, b.ids) for a, b in zip(first, other, strict=True)))


def test_blocks_hold_whole_documents_within_their_size(mixture: Mixture) -> None:
    blocks = mixture.batch(1, 0.9, 3000, 900)
    assert sum(block.ids.size for block in blocks) >= 3000
    for block in blocks:
        assert block.ids.shape == block.weights.shape
        assert block.ids.size <= 900 or block.ids.shape[0] == 1
        assert not block.weights[block.ids == 0].any()


@pytest.mark.parametrize(("progress", "longest"), [(0.0, 320), (0.5, 700), (0.99, 1400)])
def test_documents_grow_with_the_curriculum(mixture: Mixture, progress: float, longest: int) -> None:
    rng = random.Random(1)
    lengths = [len(mixture.document(rng, progress).ids) for _ in range(60)]
    assert max(lengths) <= longest


def test_a_document_ends_after_a_whole_message() -> None:
    tokenizer = load_tokenizer(FOLDER)
    messages = [
        Message("user", "You see a jug."),
        Message("assistant", "Thought: x\nAction: wait"),
        Message("user", "Long. " * 50),
    ]
    whole = encode_dialogue(messages, tokenizer, 2000)
    cut = encode_dialogue(messages, tokenizer, 60)
    assert isinstance(cut, Document)
    assert whole.ids[: len(cut.ids)] == cut.ids
    assert len(cut.ids) <= 60 < len(whole.ids)
    assert str(tokenizer.decode(cut.ids)).endswith("Action: wait<|im_end|>\n")
    assert set(whole.weights) == {0.0, OBSERVATION_WEIGHT, 1.0}


@pytest.mark.parametrize(("share", "least", "most"), [(0.6, 0.3, 0.7), (6.0, 0.8, 1.0)])
def test_worlds_are_told_of_by_their_shares(share: float, least: float, most: float) -> None:
    tokenizer = load_tokenizer(FOLDER)
    mixture = Mixture(sources(share), tokenizer, tokenizer, seed=3)
    texts = [str(tokenizer.decode(mixture.document(random.Random(n), 0.99).ids)) for n in range(200)]
    houses = [text for text in texts if "mug 1" in text or "You are in a room of a house" in text]
    assert least < len(houses) / len(texts) < most


def test_an_error_is_context_and_not_learned() -> None:
    said = [Message("user", "You see a jug."), Message("assistant", "Thought: x\nAction: wait", learned=False)]
    error = encode_dialogue(said, load_tokenizer(FOLDER), 2000)
    right = encode_dialogue([said[0], Message("assistant", said[1].text)], load_tokenizer(FOLDER), 2000)
    assert error.ids == right.ids
    assert {1.0} == {after - before for before, after in zip(error.weights, right.weights, strict=True) if before != after}
    assert max(error.weights) < 1.0
