"""Makes the index of a large catalogue: one pass over its files, minutes of work, done once and kept.

The index is a folder that appears whole: it is made beside its place and moved there. One process makes it at a time;
what a killed one left is removed by the next. Memory stays at some hundred bytes a product.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from array import array
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from services.webshop.disk_columns import ColumnsWriter, Names
from services.webshop.disk_postings import PostingsWriter
from services.webshop.json_members import Member, Slices, elements, fields
from services.webshop.postings import Inverter
from services.webshop.product import parse_product
from services.webshop.request import parse_request
from services.webshop.sources import Sources
from shared.dataset import Say
from shared.errors import RestepError

_VERSION: Final = 1
POSTINGS: Final = "postings"
_META: Final = "meta.json"
_SAY_EVERY: Final = 5.0
_PART_TERMS: Final = 4_000_000
"""Terms inverted at once; some 60 bytes each while it lasts."""


def current_index(sources: Sources, cache: Path, say: Say, *, renew: bool = False) -> tuple[Path, str]:
    """The folder of the index of ``sources`` and the SHA-256 of these, made unless there is one that still fits.

    Raises ``data_not_found``, ``data_corrupt``, ``data_not_written``.
    """
    stamp = sources.stamp()
    name = hashlib.sha256(str(sources.products.resolve()).encode()).hexdigest()[:16]
    place = cache / "webshop" / "catalogues" / name
    if not renew and (digest := _digest(place, stamp)):
        return place, digest
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place.with_suffix(".lock")):
            if renew or not _digest(place, stamp):  # unless another made it meanwhile
                _make(sources, stamp, place, say)
    except OSError as error:
        raise RestepError("data_not_written", f"{place}: {error.strerror or error}; RESTEP_CACHE moves it") from None
    return place, _digest(place, stamp)


def _digest(place: Path, stamp: str) -> str:
    """The digest of the sources as they were indexed; "" where there is no index that fits ``stamp``."""
    try:
        content: object = orjson.loads((place / _META).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return ""
    meta = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    return str(meta.get("digest", "")) if (meta.get("version"), meta.get("stamp")) == (_VERSION, stamp) else ""


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Waits until no other process is within. The lock goes with its process, however that ends."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(sources: Sources, stamp: str, place: Path, say: Say) -> None:
    say(f"{sources.products}: indexing it once, which takes minutes for the full catalogue")
    begin = time.monotonic()
    part = place.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    products = _IndexMaker(sources, part, say).take()
    meta = {"version": _VERSION, "stamp": stamp, "digest": sources.digest()}
    (part / _META).write_bytes(orjson.dumps(meta))
    shutil.rmtree(place, ignore_errors=True)
    part.replace(place)
    say(f"{products} products indexed in {time.monotonic() - begin:.0f} s, in {place}")


class _IndexMaker:
    """One pass over ``sources`` into ``folder``."""

    def __init__(self, sources: Sources, folder: Path, say: Say) -> None:
        self._sources = sources
        self._folder = folder
        self._say = say
        self._columns = ColumnsWriter()
        self._postings = PostingsWriter(folder / POSTINGS)
        self._inverter = Inverter()

    def take(self) -> int:
        """Write everything; returns the number of products. Raises ``data_corrupt``, ``OSError``."""
        rows, instructions = Slices(self._sources.products), Slices(self._sources.instructions)
        names, places = _places(self._sources.instructions)
        size, said = self._sources.products.stat().st_size, time.monotonic()
        for member in elements(self._sources.products):
            self._add(rows, member, instructions, names, places)
            if time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                self._say(f"{rows.path.name}: {100 * member.end // size} % read, {len(self._columns.asins)} products")
        if not self._columns.asins:
            raise RestepError("data_corrupt", f"{rows.path}: it has no products")
        self._postings.add(self._inverter.take())
        self._say("merging the index")
        self._postings.finish()
        self._columns.write(self._folder)
        return len(self._columns.asins)

    def _add(self, rows: Slices, member: Member, instructions: Slices, names: Names, places: NDArray[np.int64]) -> None:
        row = rows.read(member.begin, member.end)
        found = names.number(str(row.get("asin")))
        place: tuple[int, int] = (0, 0) if found is None else tuple(places[found].tolist())
        instruction: dict[str, Any] = {} if found is None else instructions.read(*place)
        product = parse_product(row, instruction.get("attributes"))
        if product is None or product.asin in self._columns.asins:
            return
        self._columns.add(product, (member.begin, member.end), place, parse_request(instruction))
        self._inverter.add(product.text)
        if len(self._inverter) > _PART_TERMS:
            self._postings.add(self._inverter.take())


def _places(path: Path) -> tuple[Names, NDArray[np.int64]]:
    """The keys of a file's fields, and for the number of each the first byte of its value and that behind the last."""
    keys: list[str] = []
    places = array("q")
    for key, begin, end in fields(path):
        keys.append(key)
        places.extend((begin, end))
    return Names.of(keys), np.array(places, np.int64).reshape(-1, 2)
