"""What an episode bought and earned: the parts of the reward, and silence before the purchase."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.environment import WebShop
from services.webshop.purchase import purchase
from services.webshop.world import World
from shared.environment import EpisodeKey
from shared.errors import RestepError

TASK = "synthetic-1"


def key(*actions: str) -> EpisodeKey:
    return EpisodeKey(TASK, 0, (), actions)


def winning(world: World) -> list[str]:
    goal = world.tasks.goal(TASK)
    product = world.stock.catalogue[goal.product]
    choices = [f"click[{value}]" for _, value in (option for option in goal.options if isinstance(option, tuple))]
    return [f"search[{product.name}]", f"click[{product.asin}]", *choices, "click[buy now]"]


def test_a_won_purchase_has_all_its_parts(world: World) -> None:
    goal, found = world.tasks.goal(TASK), purchase(world, key(*winning(world)))
    product = world.stock.catalogue[goal.product]
    assert (found.asin, found.name, found.price) == (product.asin, product.name, world.prices[goal.product])
    assert found.options == dict(each for each in goal.options if isinstance(each, tuple))
    reward = found.reward
    assert (reward.total, reward.r_type, reward.r_att, reward.r_option, reward.r_price) == (1.0, 1.0, 1.0, 1.0, True)
    assert reward.w_att + (reward.w_option or 0.0) + reward.w_price == pytest.approx(1.0)


def test_an_option_left_out_costs_its_share(world: World) -> None:
    actions = winning(world)
    whole, part = (purchase(world, key(*each)).reward for each in (actions, [*actions[:2], actions[-1]]))
    assert part.r_option == 0.0
    assert part.total == pytest.approx(whole.total - (whole.w_option or 0.0))


@pytest.mark.parametrize("actions", [(), ("search[lamp]",), ("search[lamp]", "dance"), ("click[buy now]",)])
def test_before_the_purchase_nothing_is_told(world: World, actions: tuple[str, ...]) -> None:
    with pytest.raises(RestepError) as failure:
        purchase(world, key(*actions))
    assert failure.value.code == "nothing_bought"


@given(data=st.data())
async def test_the_total_is_the_score_of_the_episode(world: World, data: st.DataObject) -> None:
    shop = WebShop(lambda: world)
    await shop.start()
    episode = await shop.reset(TASK, 0, {})
    actions = [data.draw(st.sampled_from(["search[lamp]", "search[tea]", "search[shirt]"]))]
    await episode.step(actions[0])
    for _ in range(4):
        choices = [action for action in await episode.admissible_actions() if action.startswith("click[")]
        actions.append(data.draw(st.sampled_from(choices)))
        step = await episode.step(actions[-1])
        if step.done:
            assert shop.purchase(key(*actions)).reward.total == step.score
            return
        if await episode.admissible_actions() == ["search[KEYWORDS]"]:
            break
    with pytest.raises(RestepError, match="nothing_bought"):
        shop.purchase(key(*actions))
