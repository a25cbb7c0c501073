"""Shops without a server, and shoppers who wander about in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from services.webshop.catalogue import ProductList
from services.webshop.goals import Goal, make_goals
from services.webshop.library import stock_of
from services.webshop.nouns import TABLE, Nouns
from services.webshop.planner import Planner
from services.webshop.reward import Scorer
from services.webshop.rows import Rows
from services.webshop.state import Place, State
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


def goals(world: World) -> st.SearchStrategy[Goal]:
    """Any goal of a world."""
    tasks = world.tasks.select()
    return st.integers(0, len(tasks) - 1).map(lambda number: world.tasks.goal(tasks[number].id))


@st.composite
def wander(draw: st.DrawFn, planner: Planner, most: int = 6) -> list[State]:
    """States of a shopper who does what comes to mind, the expert's next action among it; none after a purchase."""
    states = [State()]
    for _ in range(draw(st.integers(0, most))):
        action = draw(st.sampled_from(ideas(planner, states[-1])))
        after = planner.world.shop.after(states[-1], action)
        if after is not None and after.place is not Place.DONE:
            states.append(after)
    return states


def ideas(planner: Planner, state: State) -> list[str]:
    """Actions to try: searches good and bad, everything that can be clicked, and nonsense."""
    way = planner.way(state, 15)
    words = [planner.searches[-1], planner.target.query, "navy shampoos", "xyzzy"]
    clicks = [f"click[{name}]" for name in planner.world.shop.clickables(state)]
    return [
        *(way.actions[:1] if way is not None else ()),
        *(f"search[{each}]" for each in words),
        *clicks,
        "click[xyzzy]",
        "buy",
    ]


def with_words(rows: Rows, words: str) -> Rows:
    """The same shop with ``words`` in every text that a shopper reads."""
    return replace(
        rows,
        products=[
            product
            | {
                "name": f"{product['name']} {words}",
                "full_description": f"{product['full_description']} {words}",
                "small_description": [f"{bullet} {words}" for bullet in product["small_description"]],
                "customization_options": {
                    name: [{"value": f"{content['value']} {words}"} for content in contents]
                    for name, contents in product["customization_options"].items()
                },
            }
            for product in rows.products
        ],
        instructions={
            asin: row | ({"instruction": f"{row['instruction']} {words}"} if "instruction" in row else {})
            for asin, row in rows.instructions.items()
        },
    )
