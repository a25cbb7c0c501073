"""The shop that is played in: made for pre-training, larger than the one that comes with restep, and of other words.

What its products are called, can do and come in is put together at random by kind, so that reading pays and remembering
does not. What is asked for is never called as in the embedded shop, so no task of that shop can be stated by a goal.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.webshop.generate import generate_rows
from services.webshop.generate_kinds import KINDS, Kind
from services.webshop.library import open_stock
from services.webshop.rows import write_folder
from services.webshop.stock import Stock
from trainer.worlds import webshop_words as vocabulary

SEED: Final = 2
_KINDS: Final = 400
_VALUES: Final = 9
"""Values of an option that products of a kind come in; a product has up to four."""


def open_shop(folder: Path, products: int) -> Stock:
    """The shop in ``folder``, made where it is not there yet. Raises ``data_corrupt``, ``data_not_written``."""
    data = folder / f"shop-{products}"
    if not data.exists():
        staged = folder / f"shop-{products}.part"
        shutil.rmtree(staged, ignore_errors=True)
        write_folder(staged / "webshop", generate_rows(products, SEED, kinds(SEED)))
        os.replace(staged, data)
    return open_stock(data)


def kinds(seed: int) -> Sequence[Kind]:
    """Kinds of products; the same seed gives the same."""
    rng = random.Random(f"kinds {seed}")
    return [_varied(KINDS[number % len(KINDS)], rng) for number in range(_KINDS)]


def _varied(kind: Kind, rng: random.Random) -> Kind:
    """A kind beside ``kind``: of another make, with features of its own, and in other colours and sizes."""
    make = rng.choice((vocabulary.word, vocabulary.colour))(rng)
    names = rng.sample(list(vocabulary.OPTIONS), rng.choice((1, 2, 2, 3)))
    return replace(
        kind,
        query=f"{make} {kind.query}",
        nouns=tuple(f"{make.title()} {noun}" for noun in kind.nouns),
        materials=tuple(vocabulary.word(rng).title() for _ in kind.materials),
        looks=tuple(_other(look, rng) if rng.random() < 0.5 else look for look in kind.looks),
        features=tuple(_other(feature, rng) for feature in kind.features),
        uses=tuple(_other(use, rng) if rng.random() < 0.5 else use for use in kind.uses),
        options={name: tuple(vocabulary.values(name, _VALUES, rng)) for name in names},
        brands=tuple(vocabulary.word(rng).title() for _ in kind.brands),
    )


def _other(phrase: str, rng: random.Random) -> str:
    """The phrase with another word for its first or its last."""
    first, _, last = phrase.partition(" ")
    return f"{vocabulary.word(rng)} {last}" if rng.random() < 0.5 and last else f"{first} {vocabulary.word(rng)}"
