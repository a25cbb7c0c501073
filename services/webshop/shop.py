"""The shop that every shopper visits: which page a state shows, and where an action leads from it.

Nothing here changes but caches of what shoppers share. Transitions are those of WebShop's ``SimServer.receive``
(``web_agent_site/envs/web_agent_text_env.py``), which looks at the name of what is clicked before it looks at what it
is: an option whose value is "description" opens the description. Two things differ: a search that makes the original
fail is ignored here, and random products are drawn once an episode instead of on every page.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from services.webshop import pages
from services.webshop.actions import CLICK, SEARCH, parse_action
from services.webshop.catalogue import Catalogue, Search
from services.webshop.pages import Clickables, Node
from services.webshop.state import Place, State

RESULTS: Final = 50
"""Products that a search finds at most."""
PAGE: Final = 10
"""Products on a page."""

_SEARCHES: Final = 2048
_HEADS: Final = 256
_CARDS: Final = 2048
_RESULT_PAGES: Final = 512
_ITEM_PAGES: Final = 1024
_BUTTONS: Final = {label.lower(): label for label in pages.SECTIONS}
_BACK, _PREVIOUS, _NEXT, _BUY = (label.lower() for label in (pages.BACK, pages.PREVIOUS, pages.NEXT, pages.BUY))


class Part(NamedTuple):
    """What shoppers share of a page, or of a part of it: its text and what can be clicked."""

    text: str
    clickables: Clickables


class Shop:
    """A catalogue, its search and their pages."""

    def __init__(self, catalogue: Catalogue, search: Search) -> None:
        self.catalogue = catalogue
        self._search = search
        self._found = lru_cache(_SEARCHES)(self._find)
        self._heads = lru_cache(_HEADS)(_head)
        self._cards = lru_cache(_CARDS)(self._card)
        self._results = lru_cache(_RESULT_PAGES)(self._results_page)
        self._items = lru_cache(_ITEM_PAGES)(self._item_page)

    # --- looking ---------------------------------------------------------------------------------------------------

    def results(self, keywords: str, seed: int = 0) -> Sequence[int]:
        """Numbers of the products that a search finds, best first; ``seed`` matters for random ones only."""
        return self._found(keywords, seed if _is_random(keywords) else 0)

    def page(self, state: State) -> Part:
        """What stands below the header on the page of ``state``, which is neither start nor end."""
        if state.place is Place.RESULTS:
            return self._results(state.keywords, state.page, state.seed if _is_random(state.keywords) else 0)
        return self._items(state.product, state.section if state.place is Place.SECTION else "")

    def nodes(self, state: State) -> Iterator[Node]:
        """The nodes of the same page."""
        if state.place is not Place.RESULTS:
            return self._item_nodes(state.product, state.section if state.place is Place.SECTION else "")
        found, shown = self._shown(state.keywords, state.page, state.seed)
        cards = (pages.card(number, self.catalogue[number]) for number in shown)
        return chain(pages.results_head(state.page, len(found)), *cards)

    def clickables(self, state: State) -> Clickables:
        """What can be clicked: nothing where there is only a search bar, nor after the purchase."""
        return {} if state.place in (Place.START, Place.DONE) else {_BACK: None} | self.page(state).clickables

    # --- acting ----------------------------------------------------------------------------------------------------

    def after(self, state: State, action: str) -> State | None:
        """The state that ``action`` leads to, None where the shop ignores it. After the purchase it ignores everything."""
        name, argument = parse_action(action)
        if state.place is Place.DONE or not argument:
            return None
        if name == SEARCH:
            return _searched(state, argument) if _is_search(argument) else None
        if name != CLICK or state.place is Place.START:
            return None
        known = self.page(state).clickables
        return _clicked(state, argument, known.get(argument)) if argument in known or argument == _BACK else None

    # --- made once -------------------------------------------------------------------------------------------------

    def _find(self, keywords: str, seed: int) -> Sequence[int]:
        first, _, rest = keywords.partition(" ")
        if first == "<r>":
            count = len(self.catalogue)
            return random.Random(f"{seed} {rest}").sample(range(count), min(RESULTS, count))
        if first == "<c>":
            return self.catalogue.in_category(rest.partition(" ")[0].strip())
        if first == "<q>":
            return self.catalogue.with_query(rest.strip())
        return self._search.top(keywords, RESULTS)

    def _shown(self, keywords: str, page: int, seed: int) -> tuple[Sequence[int], Sequence[int]]:
        """All that a search finds, and what of it a page shows."""
        found = self.results(keywords, seed)
        return found, found[(page - 1) * PAGE : page * PAGE]

    def _results_page(self, keywords: str, page: int, seed: int) -> Part:
        found, shown = self._shown(keywords, page, seed)
        parts = [self._heads(page, len(found)), *map(self._cards, shown)]
        clickables: Clickables = {}
        for part in parts:
            clickables |= part.clickables
        return Part(pages.SEPARATOR.join(part.text for part in parts), clickables)

    def _card(self, number: int) -> Part:
        return _part(pages.card(number, self.catalogue[number]))

    def _item_page(self, number: int, section: str) -> Part:
        return _part(self._item_nodes(number, section))

    def _item_nodes(self, number: int, section: str) -> Iterator[Node]:
        product = self.catalogue[number]
        return pages.section_page(product, section) if section else pages.item_page(product)


def _head(page: int, total: int) -> Part:
    return _part(pages.results_head(page, total))


def _part(nodes: Iterator[Node]) -> Part:
    made = list(nodes)
    return Part(pages.plain(made), pages.clickables(made))


def _is_random(keywords: str) -> bool:
    return keywords.partition(" ")[0] == "<r>"


def _is_search(keywords: str) -> bool:
    """The original fails on a search by attribute, and on one by category without the category."""
    return keywords != "<c>" and keywords.partition(" ")[0] != "<a>"


def _searched(state: State, keywords: str, page: int = 1) -> State:
    return State(Place.RESULTS, keywords, page, seen=state.seen, seed=state.seed)


def _clicked(state: State, name: str, target: int | str | None) -> State:
    if name == _BUY:
        return state._replace(place=Place.DONE)
    if name == _BACK:
        return State(seed=state.seed)
    if state.place is Place.RESULTS and name in (_NEXT, _PREVIOUS):
        return _searched(state, state.keywords, state.page + (1 if name == _NEXT else -1))
    if name == _PREVIOUS:
        return (
            state._replace(place=Place.ITEM) if state.place is Place.SECTION else _searched(state, state.keywords, state.page)
        )
    if name in _BUTTONS:
        return state._replace(place=Place.SECTION, section=_BUTTONS[name])
    if isinstance(target, int):
        return state._replace(place=Place.ITEM, product=target, seen=state.seen | {target})
    assert target is not None
    return state._replace(options=tuple((dict(state.options) | {target: name}).items()))
