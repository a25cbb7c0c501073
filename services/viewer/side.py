"""One side of a comparison, as it stands in an address: ``run:collection:attempt``."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import RestepError


@dataclass(frozen=True, slots=True)
class Side:
    """An attempt at a task, by where it is kept."""

    run: str
    collection: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.run}:{self.collection}:{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> Side:
        """Raises ``invalid_request``. A collection's name may hold colons, the others not."""
        run, _, rest = text.partition(":")
        collection, _, attempt = rest.rpartition(":")
        if not (run and collection and attempt.isascii() and attempt.isdigit() and len(attempt) < 10):
            raise RestepError("invalid_request", "a side of a comparison is run:collection:attempt")
        return cls(run, collection, int(attempt))
