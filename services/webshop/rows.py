"""The rows of a shop's files: as the official folder holds them, or all together in one small compressed file.

Names and shapes are those of the benchmark (``setup.sh`` of princeton-nlp/WebShop); nothing is interpreted here.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import orjson

from shared.cache import replacing
from shared.errors import RestepError

FILES: Final = {
    "products": "items_shuffle.json",
    "instructions": "items_ins_v2.json",
    "human": "items_human_ins.json",
    "nouns": "title_nouns.json",
}
"""Field of :class:`Rows` to the name of its file."""


@dataclass(frozen=True, slots=True)
class Rows:
    """``products`` in catalogue order; ``instructions``, ``human`` and ``nouns`` (of titles, in lower case) by asin."""

    products: list[dict[str, Any]]
    instructions: dict[str, dict[str, Any]]
    human: dict[str, list[dict[str, Any]]]
    nouns: dict[str, list[str]]


def write_pack(path: Path, rows: Rows) -> None:
    """Write one compressed file, whole or not at all. Raises ``data_not_written``."""
    text = orjson.dumps({field.name: getattr(rows, field.name) for field in fields(Rows)})
    _write(path, lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


def read_pack(path: Path) -> Rows:
    """The rows of a pack, some tens of milliseconds for a thousand products. Raises ``data_not_found``, ``data_corrupt``."""
    try:
        return Rows(**orjson.loads(lzma.decompress(path.read_bytes())))
    except OSError as error:
        raise RestepError("data_not_found", f"{path}: {error.strerror or error}") from None
    except (lzma.LZMAError, orjson.JSONDecodeError, TypeError):
        raise RestepError("data_corrupt", f"{path}: not a pack of a shop") from None


def write_folder(folder: Path, rows: Rows) -> None:
    """Write the official files. Raises ``data_not_written``, also where a file of a shop is there already."""
    if there := sorted(folder.glob("items_*.json")):
        raise RestepError("data_not_written", f"{there[0]} is there already; a shop is never written over another")
    for field, name in FILES.items():
        _write(folder / name, orjson.dumps(getattr(rows, field)))


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise RestepError("data_not_written", f"{path}: {error.strerror or error}") from None
