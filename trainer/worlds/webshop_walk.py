"""Play in WebShop: errands for a wish, and idle clicking.

A shopper searches with words of the goal, turns pages until what fits is listed, opens it, reads about it now and then,
chooses options and mostly buys. As a student would, it opens a wrong product, chooses a wrong value or loses its results,
and makes that good. Why it does each step is kept.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final

from services.webshop.actions import SEARCH, click
from services.webshop.pages import BACK, BUY, NEXT, PREVIOUS, SECTIONS, SEPARATOR
from shared.environment import Episode
from trainer.play import PlayStep
from trainer.worlds.webshop_wish import Trip

_PAGE: Final = re.compile(r"Page (\d+) \(Total results: \d+\)")
_PRICE: Final = "Price: "
_BUTTONS: Final = (BACK, PREVIOUS, NEXT)


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as a page of results shows it."""

    asin: str
    title: str
    price: str


def offers(observation: str) -> list[Offer]:
    """What a page of results lists; empty for other pages."""
    parts = observation.split(SEPARATOR)
    start = next((number for number, part in enumerate(parts) if _PAGE.fullmatch(part)), None)
    if start is None:
        return []
    rest = [part for part in parts[start + 1 :] if part not in _BUTTONS]
    return [Offer(*rest[number : number + 3]) for number in range(0, len(rest) - 2, 3)]


def groups(observation: str, actions: list[str]) -> dict[str, list[str]]:
    """Options of a product's page and their values, as the page spells them."""
    parts = observation.split(SEPARATOR)
    if BUY not in parts:
        return {}
    price = next(number for number, part in enumerate(parts) if part.startswith(_PRICE))
    found: dict[str, list[str]] = {}
    name = ""
    for part in parts[parts.index(PREVIOUS) + 1 : price - 1]:
        if f"click[{part.lower()}]" in actions and name:
            found[name].append(part)
        else:
            name = part
            found[name] = []
    return {name: values for name, values in found.items() if values}


class _Over(Exception):
    """The episode ended, or the errand cannot go on."""


class Walk:
    """One episode under way: the page that is seen, and what was done and why."""

    def __init__(self, episode: Episode, trip: Trip, rng: random.Random) -> None:
        self._episode, self._trip, self._rng = episode, trip, rng
        self.steps: list[PlayStep] = []
        self._seen = episode.observation

    async def wander(self) -> None:
        """A search, and some clicks for no reason."""
        try:
            await self._act(f"{SEARCH}[{self._trip.query}]", "valid")
            for _ in range(self._rng.randint(2, 5)):
                actions = [action for action in await self._episode.admissible_actions() if action != click(BUY.lower())]
                if not actions or actions[0].startswith(SEARCH):
                    return
                written = {click(part.lower()): click(part) for part in self._seen.split(SEPARATOR)}
                action = self._rng.choice(actions)
                await self._act(written.get(action, action), "valid")
        except _Over:
            return

    async def errand(self) -> None:
        """Search, turn to the page of what fits, perhaps look at another product first, choose, and mostly buy."""
        try:
            await self._search()
            await self._lose_results()
            await self._turn_pages()
            found = {offer.asin: offer for offer in offers(self._seen)}
            unfit = [offer for asin, offer in found.items() if asin in self._trip.unfit]
            if unfit and self._rng.random() < 0.2:
                await self._open(self._rng.choice(unfit), "glance")
                await self._act(click(PREVIOUS), "back")
            await self._open(found[self._trip.asin], "open")
            await self._choose()
            if self._rng.random() < 0.9:
                await self._act(click(BUY), "buy", *(name for name, _ in self._trip.wish.options))
        except _Over:
            return

    async def _search(self) -> None:
        wish = self._trip.wish
        await self._act(f"{SEARCH}[{self._trip.query}]", "search", wish.kind, wish.to_text())

    async def _lose_results(self) -> None:
        """Now and then: back to the search bar, or a search for something else; then the search again."""
        dice = self._rng.random()
        if dice < 0.05:
            await self._act(click(BACK), "lost")
            await self._search()
        elif dice < 0.1 and self._trip.stray:
            await self._act(f"{SEARCH}[{self._trip.stray}]", "stray")
            await self._act(f"{SEARCH}[{self._trip.query}]", "again")

    async def _turn_pages(self) -> None:
        for page in range(1, self._trip.page):
            await self._act(click(NEXT), "next", str(page))

    async def _open(self, offer: Offer, why: str) -> None:
        await self._act(click(offer.asin), why, offer.asin, offer.title, offer.price)
        if self._rng.random() < 0.12:
            section = self._rng.choice(SECTIONS[:2])
            await self._act(click(section), "read", section)
            await self._act(click(PREVIOUS), "return")

    async def _choose(self) -> None:
        """The wished values, now and then a wrong one first."""
        offered = groups(self._seen, await self._episode.admissible_actions())
        for name, value in self._trip.wish.options:
            wrong = [other for other in offered.get(name, ()) if other != value]
            if wrong and self._rng.random() < 0.1:
                slip = self._rng.choice(wrong)
                await self._act(click(slip), "mistake", name, slip)
            await self._act(click(value), "choose", name, value)

    async def _act(self, action: str, *purpose: str) -> None:
        reply = await self._episode.step(action)
        self.steps.append(PlayStep(action, reply.observation, purpose))
        self._seen = reply.observation
        if reply.done:
            raise _Over
