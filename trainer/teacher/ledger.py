"""What a model was asked and what that cost, request by request, in the run's store: the books of its budget.

Every event is written before the answer is used, so a killed run has spent no more than its books say, but for the
requests that were in flight. Methods block, as those of the store do.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from shared.errors import RestepError
from shared.store import Books, Entry, Tally
from trainer.teacher.options import Budget, Prices

Kind = Literal["answered", "unanswered", "cached", "malformed", "failed"]
"""A request that was answered, or not (one try of several); an answer from the cache; an answer that could not be read;
a question given up."""

TEACHER: Final = "teacher"
GOLDEN: Final = "golden"
"""Names of the books of a run's teacher, and of its golden player."""


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
    """Keeps one of a run's books. ``budget`` bounds the sum over everything in them, whoever wrote it."""

    def __init__(self, books: Books, budget: Budget | None = None, prices: Prices | None = None) -> None:
        self._books, self._budget, self._prices = books, budget or Budget(), prices
        self._tally = Tally()

    def check(self) -> None:
        """Raise ``budget_exhausted`` when the next request must not be sent. Those in flight may still be added."""
        tokens, cost = self._budget.tokens, self._budget.cost
        if tokens is None and cost is None:
            return
        # Threads may do this at once: whose tally stays is all the same, because each is right as far as it goes.
        spent = self._tally = self._books.tally(self._tally)
        if tokens is not None and spent.tokens >= tokens:
            raise _exhausted(f"{spent.tokens:,} of {tokens:,} tokens", "tokens")
        if cost is not None and spent.cost >= cost:
            raise _exhausted(f"{spent.cost:.4f} of {cost:.4f}", "cost")

    def answered(self, purpose: Purpose, prompt_tokens: int, completion_tokens: int) -> None:
        """A request was answered, with so many tokens."""
        cost = self._prices.cost(prompt_tokens, completion_tokens) if self._prices else 0.0
        self._enter(purpose, "answered", "", prompt_tokens, completion_tokens, cost)

    def note(self, purpose: Purpose, kind: Kind, cause: str = "") -> None:
        """Anything else that happened; ``cause`` is an error's code."""
        self._enter(purpose, kind, cause, 0, 0, 0.0)

    def _enter(self, purpose: Purpose, kind: Kind, cause: str, prompt: int, completion: int, cost: float) -> None:
        self._books.enter(Entry(time.time(), purpose.collection, purpose.call, kind, cause, prompt, completion, cost))

    def spending(self, collection: str | None = None) -> Spending:
        """The sum over a collection, or over the whole run."""
        sums = self._books.sums(collection)
        counts: Counter[str] = Counter()
        for one in sums:
            counts[one.kind] += one.lines
        return Spending(
            requests=counts["answered"] + counts["unanswered"],
            unanswered=counts["unanswered"],
            cache_hits=counts["cached"],
            malformed=counts["malformed"],
            failures={one.cause: one.lines for one in sums if one.kind == "failed"},
            prompt_tokens=sum(one.prompt_tokens for one in sums),
            completion_tokens=sum(one.completion_tokens for one in sums),
            cost=sum(one.cost for one in sums),
        )


def _exhausted(spent: str, field: str) -> RestepError:
    detail = f"the model has used {spent}; with a higher budget.{field} the same command goes on from there"
    return RestepError("budget_exhausted", detail)
