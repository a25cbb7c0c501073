"""The contents of a data folder of the benchmark's small set, as they are in its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from shared.errors import RestepError

PRODUCTS: Final = "items_shuffle_1000.json"
INSTRUCTIONS: Final = "items_ins_v2_1000.json"
HUMAN_INSTRUCTIONS: Final = "items_human_ins.json"
NOUNS: Final = "title_nouns.json"
COLOURS: Final = "colors.json"


@dataclass(frozen=True, slots=True)
class Contents:
    """Rows of products in order; instructions, human instructions and nouns by asin; None for what there is not.

    ``digest`` is a SHA-256 of everything, in hex; ``origin`` tells people where it comes from.
    """

    products: Sequence[Mapping[str, Any]]
    instructions: Mapping[str, Mapping[str, Any]]
    human_instructions: Mapping[str, Sequence[Mapping[str, Any]]]
    nouns: Mapping[str, Sequence[str]] | None
    colours: Sequence[str] | None
    digest: str
    origin: str


def read_folder(folder: Path) -> Contents:
    """The files of ``folder``; only products and instructions must be there. Raises ``data_not_found``, ``data_corrupt``."""
    digest = hashlib.sha256()

    def read(name: str, *, required: bool = False) -> Any:
        path = folder / name
        if not required and not path.exists():
            return None
        try:
            written = path.read_bytes()
        except OSError as error:
            raise RestepError("data_not_found", f"{path}: {error.strerror or error}") from None
        digest.update(name.encode() + b"\0" + hashlib.sha256(written).digest())
        try:
            return orjson.loads(written)
        except orjson.JSONDecodeError as error:
            raise RestepError("data_corrupt", f"{path}: {error}") from None

    return Contents(
        products=read(PRODUCTS, required=True),
        instructions=read(INSTRUCTIONS, required=True),
        human_instructions=read(HUMAN_INSTRUCTIONS) or {},
        nouns=read(NOUNS),
        colours=read(COLOURS),
        digest=digest.hexdigest(),
        origin=str(folder),
    )
