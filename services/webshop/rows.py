"""The rows of a shop's files: as the official folder holds them, or all together in one small compressed file.

Names and shapes are those of the benchmark (``setup.sh`` of princeton-nlp/WebShop); nothing is interpreted here.
"""

from __future__ import annotations

import hashlib
import lzma
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from shared.cache import replacing
from shared.errors import RestepError

T = TypeVar("T")

FILES: Final = {
    "products": "items_shuffle.json",
    "instructions": "items_ins_v2.json",
    "human": "items_human_ins.json",
    "nouns": "title_nouns.json",
}
"""Field of :class:`Rows` to the name of its file."""
COLOURS: Final = "colors.json"
SMALL: Final = "_1000"
"""What the names of the first two files end in where they hold the benchmark's first thousand products."""


@dataclass(frozen=True, slots=True)
class Rows:
    """``products`` in catalogue order; ``instructions``, ``human`` and ``nouns`` (of titles, in lower case) by asin."""

    products: list[dict[str, Any]]
    instructions: dict[str, dict[str, Any]]
    human: dict[str, list[dict[str, Any]]]
    nouns: dict[str, list[str]]

    @property
    def digest(self) -> str:
        """A SHA-256 of everything, in hex."""
        return hashlib.sha256(orjson.dumps(self)).hexdigest()


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


def file_in(folder: Path, part: str) -> Path:
    """The file with a field of :class:`Rows`; of the first thousand products where ``folder`` does not have all."""
    name = FILES[part]
    if part in ("products", "instructions") and not (folder / FILES["products"]).exists():
        name = name.replace(".json", f"{SMALL}.json")
    return folder / name


def write_folder(folder: Path, rows: Rows) -> None:
    """Write the official files. Raises ``data_not_written``, also where a file of a shop is there already."""
    if there := sorted(folder.glob("items_*.json")):
        raise RestepError("data_not_written", f"{there[0]} is there already; a shop is never written over another")
    for part, name in FILES.items():
        _write(folder / name, orjson.dumps(getattr(rows, part)))


def read_json(path: Path, absent: T | None = None) -> T:
    """The content of a JSON file, which may be ``absent``. Raises ``data_not_found``, ``data_corrupt``."""
    if absent is not None and not path.exists():
        return absent
    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise RestepError("data_not_found", f"{path}: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise RestepError("data_corrupt", f"{path}: {error}") from None


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise RestepError("data_not_written", f"{path}: {error.strerror or error}") from None
