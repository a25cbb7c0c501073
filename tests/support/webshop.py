"""A shop made of rows, without a server."""

from __future__ import annotations

from pathlib import Path

from services.webshop.catalogue import ProductList
from services.webshop.goals import make_goals
from services.webshop.library import stock_of
from services.webshop.nouns import TABLE, Nouns
from services.webshop.reward import Scorer
from services.webshop.rows import Rows
from services.webshop.world import World


class SmallShop:
    """Catalogue, prices in dollars, goals and scorer of ``rows``."""

    def __init__(self, rows: Rows) -> None:
        self.catalogue = ProductList(rows.products, rows.instructions, rows.human)
        self.prices, self.synthetic, self.human = make_goals(self.catalogue)
        self.scorer = Scorer(Nouns(rows.nouns, TABLE))


def open_world(rows: Rows) -> World:
    """The world of ``rows``, which have nouns."""
    return World(stock_of(rows, "test", Path("unused"), lambda line: None))
