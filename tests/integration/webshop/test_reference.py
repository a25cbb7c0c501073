"""Everything recorded from the original comes out the same: prices, goals, rewards with their parts, and whole episodes."""

from __future__ import annotations

import asyncio
import json
import lzma
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.pages import RICH_MODE, TEXT_MODE
from services.webshop.state import Place, State
from services.webshop.world import World

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set"),
]


def data() -> Path:
    return Path(os.environ["RESTEP_DATA"])


def recorded(name: str) -> list[dict[str, Any]]:
    with lzma.open(data() / "webshop" / "reference" / f"{name}.jsonl.xz", "rt") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def world() -> World:
    return World(open_stock(data()))


def test_every_price_is_the_recorded_one(world: World) -> None:
    prices = {product.asin: price for product, price in zip(world.stock.catalogue, world.prices, strict=True)}
    assert prices == json.loads((data() / "webshop" / "reference" / "product_prices.json").read_bytes())


@pytest.mark.parametrize(("kind", "count"), [("synthetic", 6910), ("human", 13)])
def test_every_goal_is_the_recorded_one(world: World, kind: str, count: int) -> None:
    goals = recorded(f"goals_{kind}")
    splits = world.tasks.splits()
    assert len(goals) == count == (splits["human"] if kind == "human" else sum(splits.values()) - splits["human"])
    for expected in goals:
        goal = world.tasks.goal(f"{kind}-{expected['idx']}")
        product = world.stock.catalogue[goal.product]
        options = (
            list(goal.options) if kind == "human" else dict(option for option in goal.options if isinstance(option, tuple))
        )
        found = {
            "idx": expected["idx"],
            "asin": product.asin,
            "category": product.category,
            "query": product.query,
            "name": expected.get("name"),
            "product_category": product.product_category,
            "instruction_text": goal.text,
            "attributes": list(goal.attributes),
            "price_upper": goal.price_upper,
            "goal_options": options,
            "weight": goal.weight,
        }
        assert found == {"name": None, **expected}
        assert list(options) == list(expected["goal_options"])
        assert world.tasks.task(f"{kind}-{expected['idx']}").type == expected["category"]


def test_every_reward_and_its_parts_are_the_recorded_ones(world: World) -> None:
    purchases = recorded("rewards")
    assert len(purchases) >= 2500
    for bought in purchases:
        human = "human_goal_idx" in bought
        goal = world.tasks.goal(f"human-{bought['human_goal_idx']}" if human else f"synthetic-{bought['goal_idx']}")
        number = world.stock.catalogue.number(bought["asin"])
        assert number is not None
        reward = world.reward(goal, State(Place.DONE, product=number, options=tuple(bought["options"].items())))
        parts = {name: value for name, value in asdict(reward).items() if value is not None}
        assert parts == {"total": bought["reward"], **bought["info"]}, bought


async def play(shop: WebShop, episode: dict[str, Any], mode: str) -> None:
    """Every page, its clickables, reward and end, as recorded."""
    live = await shop.reset(f"{'human' if episode['human'] else 'synthetic'}-{episode['goal_idx']}", 0, {"observation": mode})
    shown = {TEXT_MODE: "text", RICH_MODE: "rich"}[mode]
    before = episode["initial"]
    assert live.observation == before[shown]
    assert episode["instruction"] == f"Instruction: {live.goal}"
    assert await live.admissible_actions() == ["search[KEYWORDS]"]
    for expected in episode["steps"]:
        step = await live.step(expected["action"])
        assert (step.observation, step.score, step.done) == (expected[shown], expected["reward"], expected["done"])
        assert step.success is (step.score == 1.0)
        if not step.valid:
            assert expected[shown] == before[shown]
            assert expected["url"] == before["url"]
        clickable = expected["avail"]["clickables"]
        has_bar = expected["avail"]["has_search_bar"]
        listed = ["search[KEYWORDS]"] if has_bar else [f"click[{name}]" for name in clickable]
        assert await live.admissible_actions() == listed
        before = expected
        await asyncio.sleep(0)


@pytest.mark.parametrize("mode", [TEXT_MODE, RICH_MODE])
async def test_every_recorded_episode_is_reproduced_interleaved(world: World, mode: str) -> None:
    episodes = recorded("transcripts")
    assert len(episodes) >= 122
    shop = WebShop(lambda: world)
    await shop.start()
    await asyncio.gather(*(play(shop, episode, mode) for episode in episodes))
    await shop.stop()


def test_what_the_original_ignored_is_invalid_and_nothing_else(world: World) -> None:
    """Only an action that left text, address and reward alone was ignored, unless it led where the shopper was."""
    ignored = valid = 0
    for episode in recorded("transcripts"):
        state, url = State(), episode["initial"]["url"]
        for step in episode["steps"]:
            after = world.shop.after(state, step["action"])
            if after is None:
                assert step["url"] == url
                ignored += 1
            else:
                assert step["url"] != url or after._replace(seen=state.seen) == state, step["action"]
                valid += 1
            state, url = after or state, step["url"]
    assert ignored > 100
    assert valid > 1000
