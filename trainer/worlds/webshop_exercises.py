"""Exercises in copying over WebShop's words and product numbers."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

from shared.react import first_message, turn_text
from trainer.dialogue import Message, reciting, repeating
from trainer.play import PlayStep
from trainer.worlds.webshop_telling import thought
from trainer.worlds.webshop_walk import SEPARATOR, Offer, offers

_LETTERS = string.ascii_uppercase + string.digits


def copying(names: Sequence[str], rng: random.Random) -> list[Message]:
    """A short exercise over real words: repeat, recite, or open what the goal names among made-up products."""
    some = rng.sample(list(names), rng.randint(4, 12))
    kind = rng.randrange(4)
    if kind == 0:
        return repeating(some)
    if kind == 1:
        return reciting([*some[:3], *(_number(rng) for _ in range(2))], rng)
    made = [
        Offer(_number(rng), " ".join(rng.sample(some, 3)), f"${rng.randint(3, 200)}.{rng.randint(10, 99)}") for _ in range(4)
    ]
    page = SEPARATOR.join(part for offer in made for part in (offer.asin, offer.title, offer.price))
    return opening(page, made, rng)


def opening(page: str, found: Sequence[Offer], rng: random.Random) -> list[Message]:
    """Open one product of a page by its title, and another by its number."""
    one, two = rng.sample(list(found), 2)
    goal = f"Your task is to open {one.title}, then open {two.asin}."
    steps = [PlayStep(f"click[{offer.asin}]", "", ("open", offer.asin, offer.title, offer.price)) for offer in (one, two)]
    messages = [Message("user", first_message(goal, page))]
    for step in steps:
        messages += [Message("assistant", turn_text(thought(step), step.action)), Message("user", page)]
    return messages[:-1]


def doing(look: str, rng: random.Random) -> list[Message] | None:
    """The same on a page of results that was really seen; its first half, to be short. None for other pages."""
    found = offers(look)[:5]
    if len(found) < 2:
        return None
    last = found[-1]
    return opening(look[: look.index(last.asin)] + SEPARATOR.join((last.asin, last.title, last.price)), found, rng)


def _number(rng: random.Random) -> str:
    return "B0" + "".join(rng.choices(_LETTERS, k=8))
