"""The stock of a data folder, or the one that comes with restep."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from services.webshop.catalogue import Catalogue, ProductList
from services.webshop.colours import COLOURS
from services.webshop.nouns import TABLE, WORDS, Nouns
from services.webshop.rows import Rows, read_folder, read_pack
from services.webshop.search import TextSearch
from services.webshop.stock import Stock
from services.webshop.tagger import tagged
from shared.cache import cache_folder
from shared.dataset import Say
from shared.errors import RestepError

log = logging.getLogger(__name__)

EMBEDDED: Final = Path(__file__).parent / "embedded" / "shop.json.xz"
"""The shop that comes with restep."""


def open_stock(data: Path | None, *, cache: Path | None = None, say: Say = log.info) -> Stock:
    """The stock of ``<data>/webshop``, or of the embedded shop.

    Where there is no ``title_nouns.json`` and spaCy is installed, names are tagged, which takes seconds: ``say`` is told,
    and the table is kept in ``cache`` (default: the user's).
    Raises ``data_not_found`` for a data folder that does not exist, ``data_corrupt``.
    """
    kept = cache or cache_folder()
    if data is None:
        return embedded_stock(kept)
    if not data.is_dir():
        raise RestepError("data_not_found", f"{data}: no such folder")
    folder = data / "webshop"
    if not any(folder.glob("items_shuffle*.json")):
        say(f"{folder}: no products of WebShop; opening the embedded shop")
        return embedded_stock(kept)
    return stock_of(read_folder(folder), str(folder), kept, say)


def embedded_stock(cache: Path | None = None) -> Stock:
    """The shop that comes with restep."""
    return stock_of(read_pack(EMBEDDED), "embedded", cache or cache_folder(), log.info)


def stock_of(rows: Rows, origin: str, cache: Path, say: Say) -> Stock:
    """The stock of what was read into memory. Raises ``data_corrupt``."""
    catalogue = ProductList(rows.products, rows.instructions, rows.human)
    return Stock(
        catalogue=catalogue,
        search=TextSearch.over(catalogue),
        nouns=_nouns(catalogue, rows, cache, say),
        colours=rows.colours or COLOURS,
        digest=rows.digest,
        origin=origin,
    )


def _nouns(catalogue: Catalogue, rows: Rows, cache: Path, say: Say) -> Nouns:
    """Nouns from the table, where there is none from spaCy, and words for what is missing."""
    if rows.nouns:
        table, source = rows.nouns, TABLE
    else:
        table, source = tagged({product.asin: product.name for product in catalogue}, cache, say) or ({}, WORDS)
    covered = all(product.asin in table for product in catalogue)
    return Nouns(table, source if covered or source == WORDS else f"{source}, {WORDS}")
