"""Everything that sessions share, loaded once and never changed: the shop, its prices, the tasks and what a purchase earns.

A session is a goal and a :class:`services.webshop.state.State`; all it does are questions to one world.
"""

from __future__ import annotations

from typing import Final

from services.webshop import pages
from services.webshop.goals import Goal, make_goals
from services.webshop.pages import RICH_MODE, TEXT_MODE
from services.webshop.reward import Reward, Scorer
from services.webshop.shop import Shop
from services.webshop.state import Place, State
from services.webshop.stock import Stock
from services.webshop.tasks import TaskTable

MODES: Final = (TEXT_MODE, RICH_MODE)


class World:
    """One shop with its tasks. Prices are in dollars, by the number of the product."""

    def __init__(self, stock: Stock) -> None:
        """One pass over the catalogue."""
        self.stock = stock
        self.shop = Shop(stock.catalogue, stock.search)
        self.prices, synthetic, human = make_goals(stock.catalogue)
        self.tasks = TaskTable(synthetic, human)
        self.scorer = Scorer(stock.nouns, stock.colours)

    def observation(self, goal: Goal, state: State, mode: str = TEXT_MODE) -> str:
        """What the shopper of ``goal`` reads in ``state``, in one of :data:`MODES`."""
        if state.place is Place.START:
            nodes = pages.start_page(goal.text)
        elif state.place is Place.DONE:
            nodes = pages.done_page(self.shop.catalogue[state.product], state.options, self.reward(goal, state).total)
        elif mode == TEXT_MODE:
            return f"{pages.plain(pages.header(goal.text))}{pages.SEPARATOR}{self.shop.page(state).text}"
        else:
            nodes = (*pages.header(goal.text), *self.shop.nodes(state))
        if mode == TEXT_MODE:
            return pages.plain(nodes)
        opened = state.place is Place.ITEM
        return pages.rich(nodes, state, pages.item_address(self.shop.catalogue[state.product], state) if opened else "")

    def reward(self, goal: Goal, state: State) -> Reward:
        """What buying the open product with the chosen options earns."""
        catalogue = self.shop.catalogue
        chosen = [value for _, value in state.options]
        return self.scorer.reward(goal, catalogue[goal.product], catalogue[state.product], self.prices[state.product], chosen)
