"""Everything that sessions share, loaded once and never changed: the shop, its prices, the tasks and what a purchase earns.

A session is a goal and a :class:`services.webshop.state.State`; all it does are questions to one world.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Final

from services.webshop import pages
from services.webshop.goals import Goal, make_goals
from services.webshop.pages import RICH_MODE, TEXT_MODE, Node
from services.webshop.reward import Reward, Scorer
from services.webshop.shop import Shop
from services.webshop.state import Place, State
from services.webshop.stock import Stock
from services.webshop.tasks import TaskTable

MODES: Final = (TEXT_MODE, RICH_MODE)
_HEADERS: Final = 1024


class World:
    """One shop with its tasks. Prices are in dollars, by the number of the product."""

    def __init__(self, stock: Stock) -> None:
        """One pass over the catalogue."""
        self.stock = stock
        self.shop = Shop(stock.catalogue, stock.search)
        self.prices, synthetic, human = make_goals(stock.catalogue)
        self.tasks = TaskTable(synthetic, human)
        self.scorer = Scorer(stock.nouns, stock.colours)
        self._header = lru_cache(_HEADERS)(_header)
        self._forms = {mode: pages.receipt_form(mode == RICH_MODE) for mode in MODES}

    def observation(self, goal: Goal, state: State, mode: str = TEXT_MODE) -> str:
        """What the shopper of ``goal`` reads in ``state``, in one of :data:`MODES`."""
        if state.place is Place.DONE:
            return self.receipt(state, self.reward(goal, state).total, mode)
        if state.place is Place.START:
            return self._rendered(pages.start_page(goal.text), state, mode)
        if mode == TEXT_MODE:
            return self._header(goal.text) + self.shop.page(state).text
        return self._rendered(chain(pages.header(goal.text), self.shop.nodes(state)), state, mode)

    def receipt(self, state: State, reward: float, mode: str = TEXT_MODE) -> str:
        """What is read after a purchase that earned ``reward``."""
        return pages.receipt(self._forms[mode], self.shop.catalogue[state.product], state.options, reward)

    def reward(self, goal: Goal, state: State) -> Reward:
        """What buying the open product with the chosen options earns."""
        catalogue = self.shop.catalogue
        chosen = [value for _, value in state.options]
        return self.scorer.reward(goal, catalogue[goal.product], catalogue[state.product], self.prices[state.product], chosen)

    def _rendered(self, nodes: Iterable[Node], state: State, mode: str) -> str:
        if mode == TEXT_MODE:
            return pages.plain(nodes)
        opened = state.place is Place.ITEM
        return pages.rich(nodes, state, pages.item_address(self.shop.catalogue[state.product], state) if opened else "")


def _header(instruction: str) -> str:
    return pages.plain(pages.header(instruction)) + pages.SEPARATOR
