"""Which benchmarks have data of their own, for ``restep data``. Imports happen inside: each needs its extra only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shared.dataset import Dataset
from shared.errors import RestepError


def _alfworld() -> Dataset:
    from services.alfworld.dataset import AlfworldDataset

    return AlfworldDataset()


def _webshop() -> Dataset:
    from services.webshop.dataset import WebshopDataset

    return WebshopDataset()


DATASETS: Final[Mapping[str, Callable[[], Dataset]]] = {"alfworld": _alfworld, "webshop": _webshop}
"""Benchmark to its data."""


def dataset(name: str) -> Dataset:
    """The data of a benchmark. Raises ``invalid_request`` for an unknown name."""
    if name not in DATASETS:
        raise RestepError("invalid_request", f"no data of {name!r}; there are: {', '.join(DATASETS)}")
    return DATASETS[name]()
