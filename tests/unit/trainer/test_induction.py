from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from trainer.pretrain_loop import Shape, make_model
from trainer.shipped import FOLDER
from trainer.vocabulary import load_tokenizer


@pytest.fixture(scope="module")
def model() -> Any:
    made: Any = make_model(Shape(), load_tokenizer(FOLDER), 0)
    made.set_attn_implementation("eager")
    return made.eval()


def twice(seed: int, length: int = 60) -> torch.Tensor:
    """The same tokens at random, two times; shape (1, 2 x length)."""
    row = torch.randint(300, 1900, (1, length), generator=torch.Generator().manual_seed(seed))
    return torch.cat([row, row], dim=1)


@pytest.mark.parametrize("seed", range(3))
def test_an_untrained_model_attends_to_what_followed_the_present_token(model: Any, seed: int) -> None:
    ids = twice(seed)
    with torch.no_grad():
        attention = model(ids, output_attentions=True, use_cache=False).attentions
    here = torch.arange(70, 119)
    assert float(attention[0][0, 0, here, here - 1].mean()) > 0.9
    for head in (0, 2):
        assert float(attention[1][0, head, here, here - 59].mean()) > 0.4


@pytest.mark.parametrize("seed", range(3))
def test_an_untrained_model_finds_repeated_tokens_likelier_than_new_ones(model: Any, seed: int) -> None:
    ids = twice(seed)
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits[0, :-1]
    loss = functional.cross_entropy(logits, ids[0, 1:], reduction="none")
    right = logits.argmax(-1) == ids[0, 1:]
    assert float(loss[60:].mean()) < float(loss[:59].mean())
    assert float(right[60:].float().mean()) > 0.15
    assert float(right[:59].float().mean()) < 0.05


@pytest.mark.parametrize("shape", [Shape(induction=False), Shape(layers=1), Shape(hidden=64, head=32, kv_heads=1)])
def test_without_room_or_where_unwanted_a_model_begins_as_any_other(shape: Shape) -> None:
    small: Any = make_model(shape, load_tokenizer(FOLDER), 0)
    assert float(small.model.layers[0].self_attn.k_proj.bias.detach().abs().max()) == 0.0
