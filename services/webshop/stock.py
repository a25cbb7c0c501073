"""What a shop is opened with, wherever its data come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.webshop.catalogue import Catalogue, Search
from services.webshop.nouns import Nouns


@dataclass(frozen=True, slots=True)
class Stock:
    """Products, their search and the tables that rewards need.

    ``digest`` is a SHA-256 of the data in hex; ``origin`` tells people where they come from.
    """

    catalogue: Catalogue
    search: Search
    nouns: Nouns
    colours: Sequence[str]
    digest: str
    origin: str

    @property
    def data_version(self) -> str:
        """First 16 hex digits of a SHA-256 of the data and of which nouns are used."""
        return hashlib.sha256(f"{self.digest} {self.nouns.source}".encode()).hexdigest()[:16]
