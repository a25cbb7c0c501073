"""The stock of a data folder, or the one that comes with restep."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from services.webshop.catalogue import Catalogue, ProductList
from services.webshop.colours import COLOURS
from services.webshop.json_members import objects
from services.webshop.nouns import TABLE, WORDS, Nouns
from services.webshop.rows import COLOURS as COLOURS_FILE
from services.webshop.rows import Rows, file_in, read_json, read_pack
from services.webshop.search import TextSearch
from services.webshop.sources import Sources
from services.webshop.stock import Stock
from services.webshop.tagger import tagged
from shared.cache import cache_folder
from shared.dataset import Say
from shared.errors import RestepError

log = logging.getLogger(__name__)

EMBEDDED: Final = Path(__file__).parent / "embedded" / "shop.json.xz"
"""The shop that comes with restep."""

LARGE: Final = 1 << 25
"""From this size on, in bytes, the file of products is not read into memory. The benchmark's are 4 MB and 5 GB."""


def open_stock(data: Path | None, *, cache: Path | None = None, say: Say = log.info, renew: bool = False) -> Stock:
    """The stock of ``<data>/webshop``, or of the embedded shop.

    Where there is no ``title_nouns.json`` and spaCy is installed, names are tagged, which takes seconds: ``say`` is told,
    and the table is kept in ``cache`` (default: the user's).
    Products stay on disk where their file is larger than :data:`LARGE`; see :mod:`services.webshop.disk_catalogue`,
    whose index is made anew where ``renew`` is given.
    Raises ``data_not_found`` for a data folder that does not exist, ``data_corrupt``, ``data_not_written``.
    """
    kept = cache or cache_folder()
    if data is None:
        return embedded_stock(kept)
    if not data.is_dir():
        raise RestepError("data_not_found", f"{data}: no such folder")
    folder = data / "webshop"
    products = file_in(folder, "products")
    if not products.exists():
        say(f"{folder}: no products of WebShop; opening the embedded shop")
        return embedded_stock(kept)
    return _folder_stock(folder, kept, say, renew=renew)


def embedded_stock(cache: Path | None = None) -> Stock:
    """The shop that comes with restep."""
    return stock_of(read_pack(EMBEDDED), "embedded", cache or cache_folder(), log.info)


def stock_of(rows: Rows, origin: str, cache: Path, say: Say) -> Stock:
    """The stock of rows in memory. Raises ``data_corrupt``."""
    catalogue = ProductList(rows.products, rows.instructions, rows.human)
    nouns = _nouns(catalogue, rows.nouns, cache, say)
    return Stock(catalogue, TextSearch.over(catalogue), nouns, COLOURS, rows.digest, origin)


def _folder_stock(folder: Path, cache: Path, say: Say, *, renew: bool) -> Stock:
    human, nothing = file_in(folder, "human"), dict[str, Any]()
    sources = Sources(file_in(folder, "products"), file_in(folder, "instructions"), human if human.exists() else None)
    table = read_json(file_in(folder, "nouns"), nothing)
    colours = read_json(folder / COLOURS_FILE, list[str]())
    catalogue: Catalogue
    if sources.products.stat().st_size >= LARGE:
        from services.webshop.disk_catalogue import DiskCatalogue  # a small shop never needs it

        catalogue = DiskCatalogue.open(sources, cache, say, renew=renew)
        digest, search = catalogue.digest, catalogue.search
        nouns = Nouns(table, f"{TABLE}, {WORDS}" if table else WORDS)  # tagging a million names would take hours
    else:  # one row after another, because all of them at once take several times the memory of the products
        catalogue = ProductList(objects(sources.products), read_json(sources.instructions), read_json(human, nothing))
        digest, search = sources.digest(), TextSearch.over(catalogue)
        nouns = _nouns(catalogue, table, cache, say)
    whole = hashlib.sha256(digest.encode() + orjson.dumps([table, colours])).hexdigest()
    return Stock(catalogue, search, nouns, colours or COLOURS, whole, str(folder))


def _nouns(catalogue: Catalogue, table: Mapping[str, Sequence[str]], cache: Path, say: Say) -> Nouns:
    """Nouns from the table, where there is none from spaCy, and words for what is missing."""
    source = TABLE
    if not table:
        table, source = tagged({product.asin: product.name for product in catalogue}, cache, say) or ({}, WORDS)
    covered = all(product.asin in table for product in catalogue)
    return Nouns(table, source if covered or source == WORDS else f"{source}, {WORDS}")
