from __future__ import annotations

import random

import pytest
from transformers import PreTrainedTokenizerFast

from trainer.vocabulary import build_tokenizer
from trainer.worlds.webshop_exercises import choosing
from trainer.worlds.webshop_numbers import product_numbers
from trainer.worlds.webshop_phrases import phrases
from trainer.worlds.webshop_words import KNOWN

COMMON = ("navy", "9.5 wide")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    told = [message.text for seed in range(300) for message in choosing(random.Random(seed))]
    often = [
        f"Thought: The goal asks for size: {value}, so I choose {value}.\nAction: click[{value}]" for value in COMMON
    ] * 200
    return build_tokenizer(
        ["You see nothing. "],
        ["box"],
        words=600,
        phrases=400,
        instructions=[],
        varied=[*told, *often],
        whole=KNOWN,
        codes=product_numbers(),
        fixed=phrases(),
    )[0]


@pytest.mark.parametrize("value", [*COMMON, "xx-large", "grostplorn lasting", "36w x 32l"])
def test_a_value_has_the_same_tokens_wherever_it_stands(tokenizer: PreTrainedTokenizerFast, value: str) -> None:
    ids = tokenizer.encode(value)
    places = (
        f"Find me mugs with color: {value}, and price lower than 20.00 dollars",
        f"Back to Search [SEP] < Prev [SEP] size [SEP] {value} [SEP] teal [SEP] Mug [SEP] Price: $2.0",
        f"Thought: The goal asks for color: {value}, so I choose {value}.",
        f"\nAction: click[{value}]",
    )
    for place in places:
        found = tokenizer.encode(place)
        assert any(found[start : start + len(ids)] == ids for start in range(len(found))), place


def test_a_word_of_shops_is_one_token_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    for word in ("navy", "coconut", "waist"):
        [token] = tokenizer.encode(word)
        for text in (f"click[{word}]", f"color: {word}, and", f"Mug [SEP] {word} [SEP]"):
            assert tokenizer.encode(text).count(token) == 1
        for form in (f" {word}", f" {word.title()}", word.title()):
            assert len(tokenizer.encode(form)) == 1
            assert len(tokenizer.encode(f"{form}nesses")) > 1


def test_a_number_of_a_product_is_one_token_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    for number in product_numbers()[:50]:
        [token] = tokenizer.encode(number)
        for text in (f"click[{number}]", f"[SEP] {number} [SEP] Navy Mug", f"open {number}."):
            assert tokenizer.encode(text).count(token) == 1
        assert len(tokenizer.encode(f"{number}A")) > 1


def test_pages_are_short_in_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    end = " [SEP] Rating: N.A. [SEP] Description [SEP] Features [SEP] Reviews [SEP] Buy Now"
    assert len(tokenizer.encode(end)) == 1
    assert len(tokenizer.encode("\nAction: click[Buy Now]")) == 2
