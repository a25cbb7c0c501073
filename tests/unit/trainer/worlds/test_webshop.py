from __future__ import annotations

import random
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from shared.environment import Environment
from shared.react import parse_turn
from tests.support.plays import some_plays
from trainer.corpus import tell
from trainer.play import PlayStep
from trainer.worlds.webshop import WebshopPlays, WebshopWorld
from trainer.worlds.webshop_exercises import copying, doing
from trainer.worlds.webshop_telling import errand_goal
from trainer.worlds.webshop_walk import Offer, groups, offers

WORLD = WebshopWorld(WebshopPlays())
RESULTS = (
    "Instruction: [SEP] Find me a mug [SEP] Back to Search [SEP] Page 2 (Total results: 50) [SEP] < Prev [SEP] Next > [SEP] "
    "B0AAAAAAAA [SEP] Blue Mug [SEP] $3.99 [SEP] B0BBBBBBBB [SEP] Tea Mug [SEP] $5.0 to $7.5"
)
ITEM = (
    "Instruction: [SEP] Find me a mug [SEP] Back to Search [SEP] < Prev [SEP] color [SEP] red [SEP] blue [SEP] size [SEP] "
    "big [SEP] Blue Mug [SEP] Price: $3.99 [SEP] Rating: N.A. [SEP] Description [SEP] Features [SEP] Reviews [SEP] Buy Now"
)


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncGenerator[Environment]:
    environment = WORLD.environment(tmp_path)
    await environment.start()
    yield environment
    await environment.stop()


def test_offers_are_read_off_a_page_of_results_and_off_no_other() -> None:
    assert offers(RESULTS) == [
        Offer("B0AAAAAAAA", "Blue Mug", "$3.99"),
        Offer("B0BBBBBBBB", "Tea Mug", "$5.0 to $7.5"),
    ]
    assert offers(ITEM) == []


def test_options_are_read_off_a_products_page() -> None:
    actions = ["click[red]", "click[blue]", "click[big]", "click[buy now]"]
    assert groups(ITEM, actions) == {"color": ["red", "blue"], "size": ["big"]}
    assert groups(RESULTS, actions) == {}


async def test_plays_depend_on_their_number_alone_and_on_training_goals(environment: Environment) -> None:
    first, again = await some_plays(WORLD, environment, 30), await some_plays(WORLD, environment, 30)
    assert first == again
    assert len(first) > 20
    train = {task.id for task in environment.tasks("train")}
    assert {play.task_id for play in first} <= train
    assert {play.kind for play in first} == {"errand", "wander"}


async def test_a_told_goal_stands_on_every_page_and_every_click_is_on_the_page_before(environment: Environment) -> None:
    for play in await some_plays(WORLD, environment, 80):
        messages = tell(play, WORLD, random.Random(0))
        assert messages is not None
        assert play.goal not in "".join(message.text for message in messages)
        page = messages[1].text
        goal = page.partition("\n\n")[0]
        for message in messages[2:]:
            if message.role == "user":
                page = message.text
                assert goal in page or page.startswith("Thank you for shopping")
            elif clicked := re.fullmatch(r"click\[(.+)\]", parse_turn(message.text).action):
                assert clicked[1].lower() in page.lower()


STEPS = (
    PlayStep("search[tea mug]", RESULTS, ("search", "tea mug")),
    PlayStep("click[B0AAAAAAAA]", ITEM, ("open", "B0AAAAAAAA", "Blue Mug", "$3.99")),
    PlayStep("click[red]", ITEM, ("mistake", "color", "red")),
    PlayStep("click[blue]", ITEM, ("choose", "color", "blue")),
    PlayStep("click[Buy Now]", "Thank you for shopping with us!", ("buy", "Blue Mug")),
)


@pytest.mark.parametrize("seed", range(20))
def test_a_goal_tells_what_was_chosen_and_not_the_mistake(seed: int) -> None:
    goal = errand_goal(STEPS, random.Random(seed))
    assert goal is not None
    assert "mug" in goal.lower()
    assert "blue" in goal
    assert "red" not in goal
    if limit := re.search(r"price lower than ([\d.]+) dollars", goal):
        assert float(limit[1]) > 3.99
    assert errand_goal(STEPS[:1], random.Random(seed)) is None
    assert [WORLD.failed(step) for step in STEPS] == [False, False, True, False, False]


@pytest.mark.parametrize("seed", range(30))
def test_exercises_only_click_what_stands_in_the_context(seed: int) -> None:
    words = ["Blue", "Tea", "Mug", "Steel", "Soft", "Cotton", "Lamp", "Shirt", "Oil", "Bag", "Cup", "Chair", "Desk"]
    for messages in (copying(words, random.Random(seed)), doing(RESULTS, random.Random(seed))):
        assert messages is not None
        before = ""
        for message in messages:
            if message.role == "assistant" and (clicked := re.search(r"click\[(.+)\]", message.text)):
                assert clicked[1] in before
            before += message.text


def test_a_page_without_offers_gives_no_exercise() -> None:
    assert doing(ITEM, random.Random(0)) is None
