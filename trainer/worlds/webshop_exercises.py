"""Exercises in copying: search words, product numbers and values of options that were never seen and cannot be known.

Pages are laid out by the shop's own code over products that are made up on the spot.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain
from typing import Final

from services.webshop import pages
from services.webshop.actions import SEARCH, click
from services.webshop.product import Product
from shared.react import first_message, turn_text
from trainer.dialogue import Message, reciting, repeating
from trainer.play import PlayStep
from trainer.worlds import webshop_words as vocabulary
from trainer.worlds.webshop_numbers import product_numbers
from trainer.worlds.webshop_telling import asked, thought
from trainer.worlds.webshop_walk import SEPARATOR, Offer, offers
from trainer.worlds.webshop_wish import Wish

_ATTRIBUTES: Final = ("machine washable", "easy clean", "gluten free", "heavy duty", "long lasting", "high quality")


def copying(rng: random.Random) -> list[Message]:
    """A short exercise: options three times in ten, opening two, searches two; else repeating or reciting."""
    kind = rng.randrange(10)
    if kind < 3:
        return choosing(rng)
    if kind < 5:
        return searching(rng)
    if kind < 7:
        numbers = rng.sample(product_numbers(), 4)
        made = [Offer(number, vocabulary.words(rng, 4).title(), f"${_price(rng)}") for number in numbers]
        return opening(SEPARATOR.join(part for offer in made for part in (offer.asin, offer.title, offer.price)), made, rng)
    some = [rng.choice((vocabulary.style, vocabulary.size, vocabulary.colour, _number))(rng) for _ in range(8)]
    return repeating(some[: rng.randint(4, 8)]) if kind == 7 else reciting(some[:5], rng)


def choosing(rng: random.Random) -> list[Message]:
    """On a product's page: choose the values that the goal names, one by one, and buy."""
    product = _product(rng)
    wanted = [(name, rng.choice(values)) for name, values in product.options.items() if rng.random() < 0.8]
    wanted = wanted or [(name, rng.choice(values)) for name, values in list(product.options.items())[:1]]
    goal = asked(_wish(wanted, rng, product.pricing[0]), rng)
    page = pages.plain(chain(pages.header(goal), pages.item_page(product)))
    steps = [PlayStep(click(value), page, ("choose", name, value)) for name, value in wanted]
    return _told(goal, page, [*steps, PlayStep(click(pages.BUY), "", ("buy", product.name))])


def searching(rng: random.Random) -> list[Message]:
    """On the start page: search with the goal's words, all or some of them."""
    options = [
        (name.lower(), vocabulary.OPTIONS[name](rng)) for name in rng.sample(list(vocabulary.OPTIONS), rng.randint(0, 3))
    ]
    wish = _wish(options, rng)
    goal = asked(wish, rng)
    words = rng.choice((wish.stated, wish.core, wish.core, wish.kind)) if goal.startswith("Find me") else wish.core
    return _told(goal, pages.plain(pages.start_page(goal)), [PlayStep(f"{SEARCH}[{words}]", "", ("search", wish.kind))])


def opening(page: str, found: Sequence[Offer], rng: random.Random) -> list[Message]:
    """Open one product of a page by its title, and another by its number."""
    one, two = rng.sample(list(found), 2)
    goal = f"Your task is to open {one.title}, then open {two.asin}."
    return _told(goal, page, [PlayStep(click(o.asin), page, ("open", o.asin, o.title, o.price)) for o in (one, two)])


def doing(look: str, rng: random.Random) -> list[Message] | None:
    """The same on a page of results that was really seen; its first half, to be short. None for other pages."""
    found = offers(look)[:5]
    if len(found) < 2:
        return None
    last = found[-1]
    return opening(look[: look.index(last.asin)] + SEPARATOR.join((last.asin, last.title, last.price)), found, rng)


def _told(goal: str, page: str, steps: Sequence[PlayStep]) -> list[Message]:
    """A dialogue that ends with the last answer."""
    messages = [Message("user", first_message(goal, page))]
    for step in steps:
        messages += [Message("assistant", turn_text(thought(step), step.action)), Message("user", step.observation)]
    return messages[:-1]


def _wish(options: Sequence[tuple[str, str]], rng: random.Random, price: float = 1.0) -> Wish:
    """Of a made-up kind, for more than ``price`` dollars."""
    kind = f"{vocabulary.words(rng, 2)} {vocabulary.word(rng)}s"
    attributes = [rng.choice((rng.choice(_ATTRIBUTES), vocabulary.words(rng, 2))) for _ in range(rng.randint(1, 3))]
    core = f"{attributes[0]} {kind}" + (f" with {', '.join(attributes[1:])}" if attributes[1:] else "")
    limit = 10.0 * (price // 10 + rng.randint(1, 5)) if rng.random() < 0.8 else None
    return Wish(kind, core, tuple(attributes), tuple(options), limit)


def _product(rng: random.Random) -> Product:
    names = rng.sample(list(vocabulary.OPTIONS), rng.randint(1, 3))
    options = {name.lower(): tuple(vocabulary.values(name, rng.randint(2, 7), rng)) for name in names}
    price = float(_price(rng))
    return Product(
        asin=_number(rng),
        category="",
        query="",
        product_category="",
        name=vocabulary.words(rng, 5).title(),
        description="",
        bullets=(),
        pricing=(price,),
        price_text=f"${price}",
        options=options,
        attributes=(),
    )


def _number(rng: random.Random) -> str:
    return rng.choice(product_numbers())


def _price(rng: random.Random) -> str:
    return f"{rng.randint(3, 200)}.{rng.randint(10, 99)}"
