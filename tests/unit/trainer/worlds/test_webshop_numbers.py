from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from trainer.play import PlayStep
from trainer.worlds.webshop_numbers import product_numbers, renumbered

NUMBERS = st.from_regex(r"B0[0-9A-Z]{8}", fullmatch=True)


def written(steps: tuple[PlayStep, ...]) -> list[str]:
    """All that is told of the steps, in order."""
    return [text for step in steps for text in (step.action, step.observation, *(step.purpose or ()))]


@given(st.lists(NUMBERS, min_size=1, max_size=12), st.integers(0, 1000))
def test_a_product_has_one_new_number_throughout_and_nothing_else_changes(numbers: list[str], seed: int) -> None:
    steps = tuple(PlayStep(f"click[{n}]", f"Page 1 [SEP] {n} [SEP] Mug", ("open", n, "Mug")) for n in numbers)
    told = renumbered((*steps, PlayStep("click[Buy Now]", "B0 is no number", None)), random.Random(seed))
    new = [step.action.removeprefix("click[").removesuffix("]") for step in told[:-1]]
    assert set(new) <= set(product_numbers())
    assert len(set(zip(numbers, new, strict=True))) == len(set(numbers)) == len(set(new))
    back = dict(zip(new, numbers, strict=True))
    for before, after, number in zip(steps, told, new, strict=False):
        assert [text.replace(number, back[number]) for text in written((after,))] == written((before,))
    assert told[-1] == PlayStep("click[Buy Now]", "B0 is no number", None)


def test_the_numbers_are_those_of_the_shop_that_comes_with_restep() -> None:
    assert len(set(product_numbers())) == len(product_numbers()) == 1000
