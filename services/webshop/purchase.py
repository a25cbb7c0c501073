"""What an episode has bought and what that earned, part by part: for those who want to know why.

The parts say how near a product comes to the goal, so nothing is told before there is no way back.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from services.webshop.reward import Reward
from services.webshop.state import Place, State
from services.webshop.world import World
from shared.environment import EpisodeKey
from shared.errors import RestepError


class Purchase(BaseModel):
    """The product with the options that were chosen, and its reward."""

    asin: str = Field(description="the product's number")
    name: str
    price: float = Field(description="in dollars; where a page shows a range, the price within it that the reward counts")
    options: dict[str, str] = Field(description="the chosen value of each option")
    reward: Reward


def purchase(world: World, key: EpisodeKey) -> Purchase:
    """The end of the episode ``key``. Raises ``nothing_bought``, ``unknown_task``."""
    goal, state = world.tasks.goal(key.task_id), State(seed=key.seed)
    for action in key.actions:
        state = world.shop.after(state, action) or state
    if state.place is not Place.DONE:
        raise RestepError("nothing_bought")
    product = world.shop.catalogue[state.product]
    return Purchase(
        asin=product.asin,
        name=product.name,
        price=world.prices[state.product],
        options=dict(state.options),
        reward=world.reward(goal, state),
    )
