"""Play in WebShop: errands for a product that is chosen on the way, and idle clicking.

A shopper searches with words of the task's instruction, looks at what is found, opens one product, now and then another
one first, reads about it, chooses options and mostly buys. Why it does each step is kept.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final

from shared.environment import Episode
from trainer.play import PlayStep

SEPARATOR: Final = " [SEP] "
_PAGE: Final = re.compile(r"Page (\d+) \(Total results: \d+\)")
_PRICE: Final = "Price: "
_BUTTONS: Final = ("Back to Search", "< Prev", "Next >")
_SECTIONS: Final = ("Description", "Features")
_ASKED: Final = re.compile(r"(?:Find me )?(.*?)(?:, and price lower than [\d.]+ dollars)?$", re.DOTALL)


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
    if "Buy Now" not in parts:
        return {}
    price = next(number for number, part in enumerate(parts) if part.startswith(_PRICE))
    found: dict[str, list[str]] = {}
    name = ""
    for part in parts[parts.index("< Prev") + 1 : price - 1]:
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

    def __init__(self, episode: Episode, rng: random.Random) -> None:
        self._episode, self._rng = episode, rng
        self.steps: list[PlayStep] = []
        self._seen = episode.observation

    async def wander(self) -> None:
        """A search, and some clicks for no reason."""
        try:
            await self._act(f"search[{self._query()}]", "valid")
            for _ in range(self._rng.randint(2, 5)):
                actions = [action for action in await self._episode.admissible_actions() if action != "click[buy now]"]
                if not actions or actions[0].startswith("search"):
                    return
                await self._act(self._rng.choice(actions), "valid")
        except _Over:
            return

    async def errand(self) -> None:
        """Search, perhaps turn the page, perhaps look at another product first, choose, and mostly buy."""
        try:
            query = self._query()
            await self._act(f"search[{query}]", "search", query)
            for page in range(1, self._rng.choice((1, 1, 1, 2, 3))):
                await self._act("click[Next >]", "next", str(page))
            found = offers(self._seen)
            if not found:
                raise _Over
            wanted, *others = self._rng.sample(found, min(2, len(found)))
            if others and self._rng.random() < 0.2:
                await self._open(others[0], "glance")
                await self._act("click[< Prev]", "back", others[0].title)
            await self._open(wanted, "open")
            await self._choose()
            if self._rng.random() < 0.75:
                await self._act("click[Buy Now]", "buy", wanted.title)
        except _Over:
            return

    def _query(self) -> str:
        """Words of the instruction: up to the options, or some of them."""
        asked = _ASKED.fullmatch(self._episode.goal)
        words = (asked[1] if asked else self._episode.goal).partition(" with ")[0].replace(",", " ").split()
        if self._rng.random() < 0.4 and len(words) > 2:
            words = words[-self._rng.randint(2, len(words)) :]
        return " ".join(words)

    async def _open(self, offer: Offer, why: str) -> None:
        await self._act(f"click[{offer.asin}]", why, offer.asin, offer.title, offer.price)
        if self._rng.random() < 0.15:
            section = self._rng.choice(_SECTIONS)
            await self._act(f"click[{section}]", "read", section)
            await self._act("click[< Prev]", "return", offer.title)

    async def _choose(self) -> None:
        for name, values in groups(self._seen, await self._episode.admissible_actions()).items():
            if self._rng.random() < 0.85:
                value = self._rng.choice(values)
                if self._rng.random() < 0.08 and len(values) > 1:
                    wrong = self._rng.choice([one for one in values if one != value])
                    await self._act(f"click[{wrong}]", "mistake", name, wrong)
                await self._act(f"click[{value}]", "choose", name, value)

    async def _act(self, action: str, *purpose: str) -> None:
        reply = await self._episode.step(action)
        self.steps.append(PlayStep(action, reply.observation, purpose))
        self._seen = reply.observation
        if reply.done:
            raise _Over
