"""A shop of our own, so that everything works without a download: seeded, in the very shape of the official files.

Products of a kind differ by brand, material, attributes, options and price, so a shopper has to search with the goal's
words, compare and choose; nearly right products earn part of the reward. Texts are short, since small models read them.
"""

from __future__ import annotations

import random
from collections.abc import Container, Sequence
from typing import Any, Final

from services.webshop.generate_draft import Draft, draw
from services.webshop.generate_kinds import KINDS, Kind
from services.webshop.generate_wording import bulleted, described, human_instruction, instruction, titled
from services.webshop.rows import Rows
from shared.errors import RestepError

EMBEDDED_PRODUCTS: Final = 1000
EMBEDDED_SEED: Final = 1
"""The shop that comes with restep, and what it was made with."""

_WITH_GOALS: Final = 0.6
"""Share of the products that have an instruction."""
_PRODUCTS_OF_A_PERSON: Final = 16
"""Every so many products one has a human instruction."""
_LETTERS: Final = "0123456789BCDFGHJKLMNPQRSTVWXYZ"


def generate_rows(products: int, seed: int, kinds: Sequence[Kind] = KINDS) -> Rows:
    """The files of a shop of ``kinds``; the same arguments give the same.

    Raises ``invalid_request`` where there is no product at all.
    """
    if products < 1:
        raise RestepError("invalid_request", f"{products} products; at least one is needed")
    drawn = [kinds[number % len(kinds)] for number in range(products)]
    random.Random(f"order {seed}").shuffle(drawn)
    rows = Rows(products=[], instructions={}, human={}, nouns={})
    for number, kind in enumerate(drawn):
        dice = random.Random(f"product {seed} {number}")
        asin = _asin(rows.instructions, dice)
        draft = draw(kind, dice)
        title = titled(draft)
        rows.products.append(_product(asin, title.text, draft, dice))
        rows.nouns[asin] = list(title.nouns)
        rows.instructions[asin] = _instruction(draft, dice)
        if number % _PRODUCTS_OF_A_PERSON == 0:
            rows.human[asin] = [_human(asin, number, draft, dice)]
    return rows


def _asin(taken: Container[str], dice: random.Random) -> str:
    while True:
        asin = "B0" + "".join(dice.choices(_LETTERS, k=8))
        if asin not in taken:
            return asin


def _product(asin: str, title: str, draft: Draft, dice: random.Random) -> dict[str, Any]:
    description = described(draft, dice)
    return {
        "name": title,
        "full_description": description,
        "pricing": "".join(f"${price:.2f}" for price in draft.pricing),
        "product_category": draft.kind.path,
        "small_description": bulleted(draft, f"{title} {description}", dice),
        "customization_options": {name: [{"value": value} for value in values] for name, values in draft.options.items()},
        "asin": asin,
        "category": draft.kind.category,
        "query": draft.kind.query,
    }


def _instruction(draft: Draft, dice: random.Random) -> dict[str, Any]:
    attributes: dict[str, Any] = {"attributes": sorted(draft.attributes)}
    if dice.random() < _WITH_GOALS:
        attributes["instruction"], attributes["instruction_attributes"] = instruction(draft, dice)
    return attributes


def _human(asin: str, number: int, draft: Draft, dice: random.Random) -> dict[str, Any]:
    text, attributes, options = human_instruction(draft, dice)
    return {
        "asin": asin,
        "instruction": text,
        "attributes": sorted(draft.attributes),
        "options": [f"{name.lower()}: {value}" for name, value in options.items()],
        "instruction_attributes": attributes,
        "instruction_options": list(options.values()),
        "assignment_id": f"generated-{number}",
        "worker_id": "restep",
    }
