"""The stock of a data folder, or the one that comes with restep."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.webshop.catalogue import Catalogue, ProductList
from services.webshop.colours import COLOURS
from services.webshop.contents import Contents, read_folder
from services.webshop.nouns import TABLE, WORDS, Nouns
from services.webshop.search import TextSearch
from services.webshop.stock import Stock
from services.webshop.tagger import tagged
from shared.cache import cache_folder
from shared.dataset import Say
from shared.errors import RestepError

log = logging.getLogger(__name__)


def open_stock(data: Path | None, *, cache: Path | None = None, say: Say = log.info) -> Stock:
    """The stock of ``<data>/webshop``. Where that has no ``title_nouns.json`` and spaCy is installed, names are tagged.

    Tagging is done once: its table is kept in ``cache`` (default: the user's). ``say`` is told of what takes long.
    Raises ``data_not_found`` for a data folder that does not exist, ``data_corrupt``.
    """
    if data is None or not data.is_dir():
        raise RestepError("data_not_found", f"{data}: no such folder")
    return stock_of(read_folder(data / "webshop"), cache or cache_folder(), say)


def stock_of(contents: Contents, cache: Path, say: Say = log.info) -> Stock:
    """The stock of what was read into memory. Raises ``data_corrupt``."""
    catalogue = ProductList(contents.products, contents.instructions, contents.human_instructions)
    return Stock(
        catalogue=catalogue,
        search=TextSearch.over(catalogue),
        nouns=find_nouns(catalogue, contents.nouns, cache / "webshop", say),
        colours=COLOURS if contents.colours is None else tuple(contents.colours),
        digest=contents.digest,
        origin=contents.origin,
    )


def find_nouns(catalogue: Catalogue, table: Mapping[str, Sequence[str]] | None, cache: Path, say: Say) -> Nouns:
    """Nouns of all products: those of ``table``, where there is none those of spaCy, and words for what is missing."""
    source = TABLE
    if table is None:
        table, source = tagged({product.asin: product.name for product in catalogue}, cache, say) or ({}, WORDS)
    covered = all(product.asin in table for product in catalogue)
    return Nouns(table, source if covered or source == WORDS else f"{source}, {WORDS}")
