from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.webshop.environment import WebShop
from services.webshop.library import embedded_stock
from services.webshop.world import World as Shop
from shared.environment import Environment
from shared.react import parse_turn
from tests.support.plays import some_plays
from trainer.corpus import tell
from trainer.dialogue import Message
from trainer.play import PlayStep
from trainer.worlds.webshop import WebshopPlays, WebshopWorld
from trainer.worlds.webshop_stock import open_shop
from trainer.worlds.webshop_telling import errand_goal, wish_of
from trainer.worlds.webshop_walk import Offer, groups, offers
from trainer.worlds.webshop_wish import Wish, scout

WORLD = WebshopWorld(WebshopPlays(products=1500))
RESULTS = (
    "Instruction: [SEP] Find me a mug [SEP] Back to Search [SEP] Page 2 (Total results: 50) [SEP] < Prev [SEP] Next > [SEP] "
    "B0AAAAAAAA [SEP] Blue Mug [SEP] $3.99 [SEP] B0BBBBBBBB [SEP] Tea Mug [SEP] $5.0 to $7.5"
)
ITEM = (
    "Instruction: [SEP] Find me a mug [SEP] Back to Search [SEP] < Prev [SEP] color [SEP] red [SEP] blue [SEP] size [SEP] "
    "big [SEP] Blue Mug [SEP] Price: $3.99 [SEP] Rating: N.A. [SEP] Description [SEP] Features [SEP] Reviews [SEP] Buy Now"
)
SAID = re.compile(
    r"I need (.+), so I search with|asks for (?:.+?): (.+), so I choose|so I choose (.+)\.$|I try (.+)\.$"
    r"|^Thought: (.+) (?:fits|may fit) the goal, so I open",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    environment = WORLD.environment(tmp_path_factory.mktemp("work"))
    asyncio.run(environment.start())
    yield environment
    asyncio.run(environment.stop())


@pytest.fixture(scope="module")
def shop(environment: Environment) -> Shop:
    assert isinstance(environment, WebShop)
    return environment.world


def copied(messages: list[Message]) -> list[tuple[str, str]]:
    """What answers name, in thoughts and in actions, and what stands before each of them."""
    found: list[tuple[str, str]] = []
    before = ""
    for message in messages:
        if message.role == "assistant":
            thought, _, action = message.text.partition("\nAction: ")
            found += [(name, before) for said in SAID.findall(thought) for name in said if name]
            found.append((action.partition("[")[2].removesuffix("]"), f"{before}\n{thought}"))
        before += f"\n{message.text}"
    return found


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
                assert clicked[1] in page


async def test_every_value_and_name_of_an_errand_is_copied_from_the_context(environment: Environment) -> None:
    checked = 0
    for play in await some_plays(WORLD, environment, 80):
        if play.kind == "errand":
            messages = tell(play, WORLD, random.Random(play.task_id))
            assert messages is not None
            asked = messages[1].text.partition("\n\n")[0]
            for name, before in copied(messages[1:]):
                searched = name not in before  # only a search may put pieces of the goal together
                assert not searched or all(word.strip(",") in asked for word in name.split()), name
                checked += 1
    assert checked > 500


async def test_no_told_goal_is_a_task_of_the_shop_that_comes_with_restep(environment: Environment) -> None:
    embedded = {task.goal.lower() for task in Shop(embedded_stock()).tasks.select()}
    told = [errand_goal(play.steps, random.Random(0)) for play in await some_plays(WORLD, environment, 200)]
    assert sum(goal is not None for goal in told) > 100
    assert not embedded & {goal.lower() for goal in told if goal}


async def test_the_product_that_is_bought_is_what_was_wished_for(environment: Environment, shop: Shop) -> None:
    bought = 0
    for play in await some_plays(WORLD, environment, 80):
        wish = wish_of(play.steps)
        purposes = [step.purpose for step in play.steps if step.purpose]
        if wish is not None and purposes[-1][0] == "buy":
            opened = next(purpose[2] for purpose in purposes if purpose[0] == "open")
            assert any(wish.fits(product) for product in shop.shop.catalogue if product.name == opened)
            final = {purpose[1]: purpose[2] for purpose in purposes if purpose[0] in ("choose", "mistake")}
            assert final == dict(wish.options)
            bought += 1
    assert bought > 40


def test_what_a_scout_passes_by_does_not_fit(shop: Shop) -> None:
    catalogue = shop.shop.catalogue
    for seed in range(60):
        trip = scout(shop, random.Random(seed))
        assert trip is not None
        listed = shop.shop.results(trip.query)
        place = [catalogue[number].asin for number in listed].index(trip.asin)
        assert trip.page == place // 10 + 1
        assert not [number for number in listed[:place] if trip.wish.fits(catalogue[number])]
        assert Wish.from_text(trip.wish.to_text()) == trip.wish
        if trip.stray:
            assert not [number for number in shop.shop.results(trip.stray) if trip.wish.fits(catalogue[number])]


def test_a_shop_is_made_once_and_a_half_made_one_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "shop-30.part" / "webshop" / "items_shuffle.json"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"[]")
    stock = open_shop(tmp_path, 30)
    assert len(stock.catalogue) == 30
    [made] = tmp_path.iterdir()
    before = made.stat().st_mtime_ns
    assert open_shop(tmp_path, 30).digest == stock.digest
    assert made.stat().st_mtime_ns == before


WISH = Wish("tea mugs", "blue tea mugs", ("blue",), (("color", "blue"),), 20.0, "Blue Mug")
STEPS = (
    PlayStep("search[blue tea mugs]", RESULTS, ("search", "tea mugs", WISH.to_text())),
    PlayStep("click[B0AAAAAAAA]", ITEM, ("open", "B0AAAAAAAA", "Blue Mug", "$3.99")),
    PlayStep("click[red]", ITEM, ("mistake", "color", "red")),
    PlayStep("click[blue]", ITEM, ("choose", "color", "blue")),
    PlayStep("click[Buy Now]", "Thank you for shopping with us!", ("buy", "color")),
)


@pytest.mark.parametrize("seed", range(30))
def test_a_goal_tells_the_wish_and_not_the_mistake(seed: int) -> None:
    for steps in (STEPS, STEPS[:1]):
        goal = errand_goal(steps, random.Random(seed))
        assert goal is not None
        assert re.search(r"blue tea mugs.*color:? blue", goal)
        assert "red" not in goal
        assert ("dollars" in goal) is ("Your task" not in goal)
    assert errand_goal(STEPS[1:], random.Random(seed)) is None
    assert [WORLD.failed(step) for step in STEPS] == [False, False, True, False, False]
