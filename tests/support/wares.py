"""Catalogues of invented products in the layout of the official files, of any size, the same for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from services.webshop.sources import Sources

KINDS = ("shoe", "lamp", "tea", "shirt", "phone case", "soap", "chair", "candle")
ADJECTIVES = ("red", "soft", "gluten-free", "women's", "14.5oz", "heavy", "❤", "naïve", "living", "wireless")
CATEGORIES = ("fashion", "garden", "grocery")


def product_row(number: int, rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(KINDS)
    words = [*rng.sample(ADJECTIVES, 3), f"brand{rng.randrange(3000)}", kind]
    price = rng.randrange(100, 9000) / 100
    return {
        "name": " ".join(words).title(),
        "full_description": f"Model m{number}, {rng.choice(ADJECTIVES)}.",
        "small_description": [rng.choice(ADJECTIVES), 'so-called "best" {of all}\\'],
        "pricing": rng.choice(["", f"${price}", f"${price} - ${price + 5:.2f}"]),
        "customization_options": rng.choice(
            ["", {"Color": [{"value": "Navy/Blue", "image": None}, {"value": "red"}], "Size": None}, {"Size": [{"value": "S"}]}]
        ),
        "asin": f"B{rng.randrange(10**4):04}{number:05x}",
        "category": rng.choice(CATEGORIES),
        "query": f" {kind}s ",
        "product_category": f"Shop › {kind}",
    }


def product_rows(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    rng = random.Random(seed)
    return (product_row(number, rng) for number in range(count))


def instruction_rows(rows: list[dict[str, Any]], seed: int = 1) -> dict[str, dict[str, Any]]:
    """For two of three products, a request for half of these."""
    rng = random.Random(seed)
    known: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        attributes = rng.sample(ADJECTIVES, 2)
        if number % 3:
            known[row["asin"]] = {"attributes": attributes}
        if number % 3 == 1:
            known[row["asin"]] |= {"instruction": f"Find me {row['name']}", "instruction_attributes": attributes[:1]}
    return known


def human_rows(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """For every tenth product one request, and one without attributes."""
    fields = {"instruction": "i want it.", "instruction_attributes": ["soft"], "instruction_options": ["red"]}
    return {row["asin"]: [fields, {**fields, "instruction_attributes": []}] for row in rows[::10]}


def write_catalogue(folder: Path, rows: list[dict[str, Any]]) -> Sources:
    folder.mkdir(parents=True, exist_ok=True)
    sources = Sources(folder / "items_shuffle.json", folder / "items_ins_v2.json", folder / "items_human_ins.json")
    sources.products.write_bytes(orjson.dumps(rows))
    sources.instructions.write_bytes(orjson.dumps(instruction_rows(rows)))
    (folder / "items_human_ins.json").write_bytes(orjson.dumps(human_rows(rows)))
    return sources
