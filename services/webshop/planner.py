"""The way to the best purchase from any state: what can be reached in the steps that are left, and how.

A product can be stood before in three ways: it is open, it is in the results of the last search, or it is in those of
one of the goal's own searches, which can be made from every page. The best purchase is that of the product which the
goal was made from, or of any as good; where the steps do not suffice for one, it is the best that they suffice for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from services.webshop import pages
from services.webshop.actions import SEARCH, click
from services.webshop.goals import Goal
from services.webshop.prospect import Prospect
from services.webshop.queries import searches
from services.webshop.shop import PAGE, RESULTS
from services.webshop.state import Place, State
from services.webshop.world import World

BACK: Final = click(pages.PREVIOUS)
NEXT: Final = click(pages.NEXT)
BUY: Final = click(pages.BUY)

_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Way:
    """Actions up to a purchase, of which product, what it earns, and how many values it chooses in the goal's own words."""

    actions: tuple[str, ...]
    number: int
    reward: float
    named: int = 0

    def __len__(self) -> int:
        return len(self.actions)


@dataclass(frozen=True, slots=True)
class Approach:
    """Actions after which a product is open, with the options that are chosen then."""

    actions: tuple[str, ...]
    number: int
    chosen: Mapping[str, str]


Listed = Sequence[tuple[int, int]]
"""Products of a search that are worth going for: page and number."""


class Planner:
    """Ways to meet one goal. What it finds out about products and searches it keeps."""

    def __init__(self, world: World, goal: Goal) -> None:
        self.world = world
        self.goal = goal
        self.target = world.shop.catalogue[goal.product]
        self._prospects: dict[int, Prospect] = {}
        self._right: dict[tuple[str, int], Listed] = {}
        self._ways = lru_cache(_KEPT)(self._find_way)

    # --- products --------------------------------------------------------------------------------------------------

    def prospect(self, number: int) -> Prospect:
        """What a product can earn."""
        if number not in self._prospects:
            self._prospects[number] = Prospect(self.world, self.goal, number)
        return self._prospects[number]

    def right(self, number: int) -> bool:
        """Whether a product can earn all there is to earn."""
        if self.best == 1.0 and (self.world.prices[number] > self.goal.price_upper or not self._has_attributes(number)):
            return False
        return self.prospect(number).can_earn(self.best)

    def _has_attributes(self, number: int) -> bool:
        product, scorer = self.world.shop.catalogue[number], self.world.scorer
        return all(scorer.has_attribute(product, attribute) for attribute in self.goal.attributes)

    @cached_property
    def best(self) -> float:
        """The most that can be earned, by the product of the goal or any that the goal's searches find. In 0..1."""
        own = self.prospect(self.goal.product).ceiling
        if own == 1.0 and any(self.goal.product in self._found(words) for words in self.searches):
            return 1.0
        best = 0.0
        for number in (number for words in self.searches for number in self._found(words)):
            if self.prospect(number).can_earn(best):
                best = self.prospect(number).ceiling
        return best

    def earned(self, state: State) -> float:
        """The reward of buying the open product with the options that are chosen."""
        return self.prospect(state.product).reward(dict(state.options)).total

    # --- searches --------------------------------------------------------------------------------------------------

    @cached_property
    def searches(self) -> Sequence[str]:
        """Keywords that somebody who reads the goal could search with."""
        return searches(self.goal, self.target.query)

    def listed(self, words: str, seed: int = 0) -> Listed:
        """The right products among the first that a search finds."""
        key = (words, seed)
        if key not in self._right:
            found = enumerate(self._found(words, seed))
            self._right[key] = [(place // PAGE + 1, number) for place, number in found if self.right(number)]
        return self._right[key]

    def shown(self, state: State) -> Listed:
        """The right products among the results that ``state`` has at hand; none on the start page."""
        return () if state.place is Place.START else self.listed(state.keywords, state.seed)

    def _found(self, words: str, seed: int = 0) -> Sequence[int]:
        return self.world.shop.results(words, seed)[:RESULTS]

    def _all(self, words: str, seed: int = 0) -> Listed:
        return [(place // PAGE + 1, number) for place, number in enumerate(self._found(words, seed))]

    # --- ways ------------------------------------------------------------------------------------------------------

    def way(self, state: State, left: int) -> Way | None:
        """The shortest way to the best purchase that ``left`` steps suffice for; None where none earns anything."""
        return self._ways(state, left)

    def _find_way(self, state: State, left: int) -> Way | None:
        if state.place is Place.DONE or left < 1:
            return None
        right = [self._to_the_end(approach) for approach in self._approaches(state, self.listed) if self.right(approach.number)]
        best = _best(right)
        if best is not None and len(best) <= left:
            return best
        near = (approach for approach in self._approaches(state, self._all) if len(approach.actions) < left)
        return _best(self._to_the_end(approach, left - len(approach.actions) - 1) for approach in near)

    def _to_the_end(self, approach: Approach, most: int | None = None) -> Way:
        prospect = self.prospect(approach.number)
        choices = prospect.choose(approach.chosen, most)
        reward = prospect.reward({**approach.chosen, **{choice.name: choice.value for choice in choices}}).total
        clicks = (click(choice.value) for choice in choices)
        named = sum(map(prospect.named, choices))
        return Way((*approach.actions, *clicks, BUY), approach.number, reward, named)

    def _approaches(self, state: State, listed: Callable[[str, int], Listed]) -> Iterator[Approach]:
        """Every product that can be stood before, first those that are near."""
        back = {Place.ITEM: 1, Place.SECTION: 2}.get(state.place, 0)
        if back:
            yield Approach((BACK,) * (back - 1), state.product, dict(state.options))
        if state.place is not Place.START:
            for page, number in listed(state.keywords, state.seed):
                yield Approach((*(BACK,) * back, *_turned(state.page, page), self._open(number)), number, {})
        for words in self.searches:
            found = listed(words, 0)
            for page, number in found:
                yield Approach((f"{SEARCH}[{words}]", *_turned(1, page), self._open(number)), number, {})
            if found and found[0][0] == 1:
                return

    def _open(self, number: int) -> str:
        return click(self.world.shop.catalogue[number].asin)


def _turned(here: int, there: int) -> tuple[str, ...]:
    return (NEXT,) * (there - here) if there > here else (BACK,) * (here - there)


def _best(ways: Iterator[Way] | Sequence[Way]) -> Way | None:
    """The way that earns most, of those the shortest, in the goal's words, and the first; None where none earns anything."""
    best = max(ways, key=lambda way: (way.reward, -len(way), way.named), default=None)
    return best if best is not None and best.reward > 0.0 else None
