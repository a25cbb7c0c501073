"""What one product can earn for one goal: which options to choose for the most, and what is lacking.

Only the benchmark's own scorer says what a purchase is worth; here the choices are found that are worth asking for. Any
chosen value may meet any wanted option, so for each option of the product a few values matter, by what they meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product as combinations
from typing import Final

from services.webshop.actions import click, parse_action
from services.webshop.goals import Goal
from services.webshop.product import Product
from services.webshop.queries import limit_text, option_text, option_value
from services.webshop.reward import Reward
from services.webshop.state import Place, State
from services.webshop.world import World

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of an option and the wanted options that it meets, by their position in the goal."""

    name: str
    value: str
    meets: frozenset[int]


class Prospect:
    """One product as an answer to one goal."""

    def __init__(self, world: World, goal: Goal, number: int) -> None:
        self.number = number
        self.product: Product = world.shop.catalogue[number]
        self._world = world
        self._goal = goal

    def reward(self, chosen: Mapping[str, str]) -> Reward:
        """What buying it with these options earns."""
        return self._world.reward(self._goal, State(Place.ITEM, product=self.number, options=tuple(chosen.items())))

    @cached_property
    def bare(self) -> Reward:
        """What buying it without any option earns."""
        return self.reward({})

    @cached_property
    def ceiling(self) -> float:
        """The most it can earn, in 0..1."""
        return self.reward({choice.name: choice.value for choice in self.choose({})}).total

    def can_earn(self, reward: float) -> bool:
        """Whether it can earn at least so much. Its options are only looked at where they decide."""
        bound = self.bare.total + self.bare.r_type * (self.bare.w_option or 0.0)
        return bound > reward - _ROUNDING and self.ceiling >= reward

    def choose(self, chosen: Mapping[str, str], most: int | None = None) -> Sequence[Choice]:
        """The fewest choices, at most ``most``, after which the most of the goal's options are met; in the goal's order.

        Of values that meet the same, those that the goal names come first, then those that stand first.
        """
        best: tuple[tuple[int, int, int], tuple[Choice, ...]] = ((-1, 0, 0), ())
        for picked in combinations(*((None, *group) for group in self._groups)):
            clicks = tuple(choice for choice in picked if choice is not None)
            if most is not None and len(clicks) > most:
                continue
            after = {**chosen, **{choice.name: choice.value for choice in clicks}}
            met = self.met(after)
            rank = (len(met), -len(clicks), sum(self.named(choice) for choice in clicks))
            if rank > best[0]:
                best = (rank, clicks)
        return sorted(best[1], key=lambda choice: min(choice.meets))

    def met(self, chosen: Mapping[str, str]) -> frozenset[int]:
        """Positions of the goal's options that these values meet."""
        return frozenset[int]().union(*map(self.meets, chosen.values()))

    def meets(self, value: str) -> frozenset[int]:
        """Positions of the goal's options that a value meets."""
        if value not in self._meets:
            is_option, wanted = self._world.scorer.is_option, self._goal.options
            self._meets[value] = frozenset(place for place, option in enumerate(wanted) if is_option(option, value))
        return self._meets[value]

    def served_by(self, name: str) -> frozenset[int]:
        """Positions of the goal's options that values of the option ``name`` can meet."""
        choices = (choice for group in self._groups for choice in group if choice.name == name)
        return frozenset[int]().union(*(choice.meets for choice in choices))

    def named(self, choice: Choice) -> bool:
        """Whether the goal itself names the value."""
        return any(choice.value == option_value(self._goal.options[place]) for place in choice.meets)

    @cached_property
    def lack(self) -> str:
        """Why it is not what the goal asks for, in a clause about "it"; empty where it is."""
        goal = self._goal
        if self.bare.r_type < 1.0:
            return "it is another kind of product"
        if not self.bare.r_price:
            return f"its price is not lower than {limit_text(goal)}"
        for attribute in goal.attributes:
            if not self._world.scorer.has_attribute(self.product, attribute):
                return f"nothing says {attribute} of it"
        offered = frozenset[int]().union(*(choice.meets for group in self._groups for choice in group))
        missing = next((option for place, option in enumerate(goal.options) if place not in offered), None)
        return "" if missing is None else f"it does not come with {option_text(missing)}"

    def missing(self, chosen: Mapping[str, str]) -> str:
        """Why buying it with these options does not meet the goal, in a clause; empty where it does."""
        met = self.met(chosen)
        unmet = next((option for place, option in enumerate(self._goal.options) if place not in met), None)
        return self.lack or ("" if unmet is None else f"{option_text(unmet)} is not chosen")

    @property
    def candidate(self) -> bool:
        """Whether its line in the results leaves open that it fits: it is of the kind, and its lowest price is in the limit."""
        return self.bare.r_type == 1.0 and min(self.product.pricing) <= self._goal.price_upper

    def says(self, section: str) -> bool:
        """Whether a page about it has any text."""
        return bool(self._text(section).strip())

    def unread(self, sections: Iterable[str]) -> bool:
        """Whether an attribute that the goal asks for stands neither in the title nor in these pages about it."""
        read = " ".join((self.product.name, *map(self._text, sections))).lower()
        return any(attribute not in read for attribute in self._goal.attributes)

    def _text(self, section: str) -> str:
        return {"Description": self.product.description, "Features": " ".join(self.product.bullets)}.get(section, "")

    @cached_property
    def _meets(self) -> dict[str, frozenset[int]]:
        return {}

    @cached_property
    def _groups(self) -> Sequence[Sequence[Choice]]:
        """For each option of the product that can meet anything: one value for every set of wanted options it can meet."""
        groups: dict[str, dict[frozenset[int], Choice]] = {}
        for name, value in self._clickable():
            if meets := self.meets(value):
                choice, group = Choice(name, value, meets), groups.setdefault(name, {})
                if meets not in group or self.named(choice) > self.named(group[meets]):
                    group[meets] = choice
        return [list(group.values()) for group in groups.values()]

    def _clickable(self) -> Sequence[tuple[str, str]]:
        """Options with the values that a click chooses: of two equal values the benchmark takes the last."""
        shop, here = self._world.shop, State(Place.ITEM, product=self.number, page=1)
        if not self._goal.options:
            return ()
        found: list[tuple[str, str]] = []
        for value, target in shop.clickables(here).items():
            if isinstance(target, str) and parse_action(click(value)) == ("click", value):
                after = shop.after(here, click(value))
                found += after.options if after is not None else ()
        return found
