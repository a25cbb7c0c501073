"""WebShop behind the seam of all environments."""

from __future__ import annotations

import pytest

from services.webshop.environment import MAX_STEPS, WebShop
from services.webshop.world import World
from shared.environment import EngineStep
from shared.errors import RestepError

TASK = "synthetic-1"


@pytest.fixture
async def shop(world: World) -> WebShop:
    shop = WebShop(lambda: world)
    await shop.start()
    return shop


async def test_a_purchase_ends_the_episode_with_its_reward(shop: WebShop, world: World) -> None:
    goal = world.tasks.goal(TASK)
    product = world.stock.catalogue[goal.product]
    episode = await shop.reset(TASK, 0, {})
    assert episode.goal == goal.text
    assert episode.observation == f"WebShop [SEP] Instruction: [SEP] {goal.text} [SEP] Search"
    choices = [f"click[{value}]" for _, value in (option for option in goal.options if isinstance(option, tuple))]
    for action in (f"search[{product.name}]", f"click[{product.asin}]", *choices):
        step = await episode.step(action)
        assert (step.score, step.done, step.success, step.valid) == (0.0, False, False, True)
    bought = await episode.step("click[buy now]")
    assert (bought.score, bought.done, bought.success, bought.valid) == (1.0, True, True, True)
    assert "Thank you for shopping with us!" in bought.observation
    assert await episode.admissible_actions() == []
    again = await episode.step("click[buy now]")
    assert again == EngineStep(bought.observation, 1.0, done=True, success=True, valid=False)
    await episode.close()


async def test_what_is_not_understood_shows_the_same_page(shop: WebShop) -> None:
    episode = await shop.reset(TASK, 0, {"observation": "text_rich"})
    assert (await episode.step("dance")) == EngineStep(episode.observation, 0.0, done=False, success=False, valid=False)
    page = await episode.step("search[lamp]")
    assert (await episode.step("click[lamp]")) == EngineStep(page.observation, 0.0, done=False, success=False, valid=False)


async def test_admissible_actions_are_the_clickables_in_order(shop: WebShop) -> None:
    episode = await shop.reset(TASK, 0, {})
    assert await episode.admissible_actions() == ["search[KEYWORDS]"]
    page = await episode.step("search[lamp]")
    listed = await episode.admissible_actions()
    assert listed[:2] == ["click[back to search]", "click[next >]"]
    assert [action[6:-1].upper() for action in listed[2:]] == page.observation.split(" [SEP] ")[5::3]


async def test_the_seed_decides_what_random_products_are_and_nothing_else(shop: WebShop) -> None:
    async def play(seed: int, action: str) -> str:
        return (await (await shop.reset(TASK, seed, {})).step(action)).observation

    assert await play(0, "search[lamp]") == await play(1, "search[lamp]")
    assert await play(0, "search[<r>]") == await play(0, "search[<r>]") != await play(1, "search[<r>]")


async def test_it_describes_itself(shop: WebShop, world: World) -> None:
    info = shop.info()
    assert (info.name, info.max_steps, info.data_version) == ("webshop", MAX_STEPS, world.stock.data_version)
    assert {split.name: split.tasks for split in info.splits} == world.tasks.splits()
    assert info.task_types == world.tasks.types()
    assert [option.name for option in info.options] == ["observation"]
    assert shop.metrics() == {"products": 120.0}
    assert shop.task(TASK) == shop.tasks("test")[1]


@pytest.mark.parametrize(
    ("task", "options", "code"),
    [
        ("synthetic-99999", {}, "unknown_task"),
        (TASK, {"observation": "html"}, "invalid_option"),
        (TASK, {"obs": "text"}, "invalid_option"),
    ],
)
async def test_wrong_requests_are_refused(shop: WebShop, task: str, options: dict[str, str], code: str) -> None:
    with pytest.raises(RestepError) as failure:
        await shop.reset(task, 0, options)
    assert failure.value.code == code


async def test_before_the_start_it_is_not_ready(world: World) -> None:
    shop = WebShop(lambda: world)
    assert shop.metrics() == {}
    for call in (shop.info, shop.tasks):
        with pytest.raises(RestepError) as failure:
            call()
        assert failure.value.code == "not_ready"
