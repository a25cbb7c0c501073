"""What a model was asked and what that cost, request by request, on disk: the books of a run's budget.

Every event is written before the answer is used, so a killed run has spent no more than its books say, but for the
requests that were in flight.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, cast

from pydantic import BaseModel, ConfigDict

from shared.errors import RestepError
from trainer.teacher.database import Database
from trainer.teacher.options import Budget, Prices

Kind = Literal["answered", "unanswered", "cached", "malformed", "failed"]
"""A request that was answered, or not (one try of several); an answer from the cache; an answer that could not be read;
a question given up."""

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS events (at REAL NOT NULL, collection TEXT NOT NULL, call TEXT NOT NULL, kind TEXT NOT NULL, "
    "cause TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a question is for: the collection it serves, and which call of it (``judge``, ``repair``, ...)."""

    collection: str
    call: str


class Spending(BaseModel):
    """A sum over events. ``failures`` counts questions given up by cause; ``cost`` is 0 where no prices are known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: int = 0
    unanswered: int = 0
    cache_hits: int = 0
    malformed: int = 0
    failures: dict[str, int] = {}
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


class Ledger:
    """The books of one run. ``budget`` bounds the sum over everything in them."""

    def __init__(self, path: Path, budget: Budget | None = None, prices: Prices | None = None) -> None:
        """Raises ``store_failed``."""
        self._database = Database(path, _SCHEMA)
        self._budget, self._prices = budget or Budget(), prices
        self._tokens, self._cost, self._read = 0, 0.0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def check(self) -> None:
        """Raise ``budget_exhausted`` when the next request must not be sent. Those in flight may still be added."""
        tokens, cost = self._budget.tokens, self._budget.cost
        if tokens is None and cost is None:
            return
        self._catch_up()
        if tokens is not None and self._tokens >= tokens:
            raise _exhausted(f"{self._tokens:,} of {tokens:,} tokens", "tokens")
        if cost is not None and self._cost >= cost:
            raise _exhausted(f"{self._cost:.4f} of {cost:.4f}", "cost")

    def _catch_up(self) -> None:
        """Add what was written since, by other processes too."""
        rows = self._database.execute(
            "SELECT coalesce(sum(prompt_tokens + completion_tokens), 0), coalesce(sum(cost), 0.0), "
            "coalesce(max(rowid), ?1) FROM events WHERE rowid > ?1",
            self._read,
        )
        tokens, cost, self._read = cast(tuple[int, float, int], rows[0])
        self._tokens, self._cost = self._tokens + tokens, self._cost + cost

    def answered(self, purpose: Purpose, prompt_tokens: int, completion_tokens: int) -> None:
        """A request was answered, with so many tokens."""
        cost = self._prices.cost(prompt_tokens, completion_tokens) if self._prices else 0.0
        self._write(purpose, "answered", "", prompt_tokens, completion_tokens, cost)

    def note(self, purpose: Purpose, kind: Kind, cause: str = "") -> None:
        """Anything else that happened; ``cause`` is an error's code."""
        self._write(purpose, kind, cause, 0, 0, 0.0)

    def _write(self, purpose: Purpose, kind: Kind, cause: str, prompt: int, completion: int, cost: float) -> None:
        values = (time.time(), purpose.collection, purpose.call, kind, cause, prompt, completion, cost)
        self._database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)

    def spending(self, collection: str | None = None) -> Spending:
        """The sum over a collection, or over the whole run."""
        rows = self._database.execute(
            "SELECT kind, cause, count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost) FROM events "
            "WHERE ?1 IS NULL OR collection = ?1 GROUP BY kind, cause ORDER BY kind, cause",
            collection,
        )
        return _sum(cast(list[tuple[Kind, str, int, int, int, float]], rows))


def _sum(rows: Iterable[tuple[Kind, str, int, int, int, float]]) -> Spending:
    counts: dict[Kind, int] = {}
    failures: dict[str, int] = {}
    prompt = completion = 0
    cost = 0.0
    for kind, cause, count, prompts, completions, costs in rows:
        counts[kind] = counts.get(kind, 0) + count
        if kind == "failed":
            failures[cause] = count
        prompt, completion, cost = prompt + prompts, completion + completions, cost + costs
    return Spending(
        requests=counts.get("answered", 0) + counts.get("unanswered", 0),
        unanswered=counts.get("unanswered", 0),
        cache_hits=counts.get("cached", 0),
        malformed=counts.get("malformed", 0),
        failures=failures,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost=cost,
    )


def _exhausted(spent: str, field: str) -> RestepError:
    detail = f"the model has used {spent}; with a higher budget.{field} the same command goes on from there"
    return RestepError("budget_exhausted", detail)
