"""WebShop's data for the ``restep data`` commands."""

from __future__ import annotations

from pathlib import Path

from services.webshop.fetch import fetch_catalogue
from services.webshop.library import open_stock
from services.webshop.rows import FILES
from services.webshop.world import World
from shared.dataset import DataReport, Say


class WebshopDataset:
    """Implements :class:`shared.dataset.Dataset`."""

    def check(self, data: Path | None, say: Say) -> DataReport:
        """Every product and every request is read; the index of a large catalogue is made anew.

        Raises ``data_not_found``, ``data_corrupt``, ``data_not_written``.
        """
        stock = open_stock(data, say=say, renew=True)
        world = World(stock)
        report = DataReport()
        count = sum(1 for _ in stock.catalogue)
        report.facts.append(f"{stock.origin}: {count} products, data version {stock.data_version}")
        report.facts.append(", ".join(f"{split} {tasks}" for split, tasks in world.tasks.splits().items()))
        report.facts.append(f"nouns of names: {stock.nouns.source}")
        if data is None:
            return report
        if stock.origin == "embedded":
            report.problems.append(f"{data / 'webshop'}: no products of WebShop; a server would open the embedded shop")
        elif not (data / "webshop" / FILES["human"]).exists():
            report.problems.append(f"{data / 'webshop' / FILES['human']} is missing, so there are no tasks written by people")
        return report

    def fetch(self, data: Path, mirror: str | None, say: Say, *, full: bool = False) -> None:
        """Into ``<data>/webshop``. Raises ``download_failed``, ``data_corrupt``, ``data_not_written``."""
        fetch_catalogue(data / "webshop", mirror, say, full=full)
