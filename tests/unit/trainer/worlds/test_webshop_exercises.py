from __future__ import annotations

import random
import re

import pytest

from shared.react import parse_turn
from tests.unit.trainer.worlds.test_webshop import ITEM, RESULTS
from trainer.worlds.webshop_exercises import choosing, copying, doing, searching
from trainer.worlds.webshop_words import OPTIONS, values


@pytest.mark.parametrize("seed", range(60))
def test_exercises_only_name_what_stands_in_the_context(seed: int) -> None:
    for messages in (copying(random.Random(seed)), doing(RESULTS, random.Random(seed))):
        assert messages is not None
        before = ""
        for message in messages:
            if message.role == "assistant" and (named := re.search(r"(?:click|search)\[(.+)\]", message.text)):
                assert named[1] in before
            before += message.text


@pytest.mark.parametrize("seed", range(30))
def test_every_value_that_a_goal_names_is_chosen_before_the_purchase(seed: int) -> None:
    messages = choosing(random.Random(seed))
    goal, _, page = messages[0].text.partition("\n\n")
    actions = [parse_turn(message.text).action for message in messages if message.role == "assistant"]
    assert actions[-1] == "click[Buy Now]"
    assert len(actions) > 1
    for action in actions[:-1]:
        value = action.removeprefix("click[").removesuffix("]")
        assert value in goal
        assert f"[SEP] {value} [SEP]" in page


def test_values_cannot_be_known() -> None:
    rng = random.Random(0)
    for name in ("Color", "Size", "Style"):
        assert len({OPTIONS[name](rng) for _ in range(1000)}) > 400
        assert len(values(name, 6, rng)) > 3
    searched = {searching(random.Random(seed))[-1].text for seed in range(200)}
    assert len(searched) == 200


def test_a_page_without_offers_gives_no_exercise() -> None:
    assert doing(ITEM, random.Random(0)) is None
