"""The books of a model that answers for money, and its answers, where the trajectories are that they made possible.

Whoever plays a run sees the same store, so a budget holds over all of them, on whatever machine, and a question that
one of them has paid for is paid for all. Methods block, like those of the store that they are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

from sqlalchemy import Connection, func, select, true

from shared.store.database import Database
from shared.store.schema import BookedRequest, KnownAnswer


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: what was asked for which collection, by which call, what became of it and why; ``at`` is a Unix time."""

    at: float
    collection: str
    call: str
    kind: str
    cause: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Tokens and cost of all lines up to ``number``."""

    number: int = 0
    tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Sum:
    """What all lines of one kind and cause come to."""

    kind: str
    cause: str
    lines: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


class Books:
    """Of one name in a store. Every method raises ``store_failed`` when the database does."""

    def __init__(self, database: Database, run: str) -> None:
        self._database, self._run = database, run

    def enter(self, entry: Entry) -> None:
        """Write a line."""
        self.enter_all({uuid4().hex: entry})

    def enter_all(self, entries: dict[str, Entry]) -> None:
        """Write lines by the names of their events; an event that is in the books already stays as it is."""
        rows = [{"event": event, "run": self._run, **asdict(entry)} for event, entry in entries.items()]

        def work(connection: Connection) -> None:
            # Numbers are given out before a transaction ends, so those of two at once could be seen in the wrong order,
            # and whoever counts on from the last number that was seen would miss a line for ever.
            self._database.alone(connection, f"books of {self._run}")
            connection.execute(self._database.insert_or_leave(BookedRequest, rows))

        self._database.write(work)

    def tally(self, since: Tally | None = None) -> Tally:
        """What all lines come to; those of an earlier tally are not read again."""
        since = since or Tally()
        line = BookedRequest
        tokens, cost = func.sum(line.prompt_tokens + line.completion_tokens), func.sum(line.cost)
        query = select(func.coalesce(tokens, 0), func.coalesce(cost, 0.0), func.coalesce(func.max(line.number), since.number))
        query = query.where(line.run == self._run, line.number > since.number)
        more, dearer, number = self._database.read(lambda connection: connection.execute(query).one())
        return Tally(number, since.tokens + int(more), since.cost + float(dearer))

    def sums(self, collection: str | None = None) -> list[Sum]:
        """Lines of a collection, or all, by kind and cause."""
        line = BookedRequest
        tokens = (func.sum(line.prompt_tokens), func.sum(line.completion_tokens))
        query = select(line.kind, line.cause, func.count(), *tokens, func.sum(line.cost))
        query = query.where(line.run == self._run, true() if collection is None else line.collection == collection)
        query = query.group_by(line.kind, line.cause).order_by(line.kind, line.cause)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [
            Sum(kind, cause, lines, int(prompts), int(completions), cost)
            for kind, cause, lines, prompts, completions, cost in rows
        ]

    def answer(self, key: str) -> str | None:
        """The answer to a question, None where none is known."""
        query = select(KnownAnswer.answer).filter_by(run=self._run, key=key)
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def keep(self, key: str, answer: str) -> str:
        """Keep an answer, and return the one that holds: whichever was first."""
        self.keep_all([(key, answer)])
        return self.answer(key) or answer

    def keep_all(self, answers: Sequence[tuple[str, str]]) -> None:
        """Keep answers where none is known."""
        rows = [{"run": self._run, "key": key, "answer": answer} for key, answer in answers]
        insertion = self._database.insert_or_leave(KnownAnswer, rows)
        self._database.write(lambda connection: connection.execute(insertion) and None)
