from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from services.sciworld.instruction import INSTRUCTION
from services.sciworld.thoughts import thought
from trainer.corpus import Message, Play, PlayStep, Think
from trainer.mixture import OBSERVATION_WEIGHT, Document, Mixture, encode_dialogue
from trainer.shipped import FOLDER
from trainer.vocabulary import load_tokenizer

LOOK = "This room is called the kitchen. In it, you see: \n" + "\n".join(f"\ta {name}" for name in ("red box", "banana", "jug"))
NAMES = ["red box", "banana", "jug", "axe", "lighter", "bowl", "shovel", "battery", "wolf", "bed", "cup", "drawer"]


@dataclass
class House:
    places: list[str] = field(default_factory=lambda: ["kitchen", "workshop", "hallway", "outside"])
    instruction: str = INSTRUCTION
    think: Think = thought


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    step = PlayStep("pick up banana", "You move the banana to the inventory.", ("pick", "banana"))
    plays = [Play("errand", "boil", i, "", "goal", LOOK, (step,) * (i % 3 + 1)) for i in range(5)]
    tokenizer = load_tokenizer(FOLDER)
    return Mixture(plays, NAMES, House(), tokenizer, tokenizer, seed=3)


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
