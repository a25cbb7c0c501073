"""Facts, kept the way they are asked for: one table for each predicate and each set of arguments known beforehand.

A table maps the known arguments to the others, sorted. Tables are never changed: :func:`updated` copies the few that
an action touches, so that all sessions of a game share the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeAlias, cast

Fact: TypeAlias = tuple[int, ...]
Table: TypeAlias = dict[Any, Any]
"""Known arguments to the others: both a bare entity where there is one, a tuple otherwise; True where none is left."""
Tables: TypeAlias = list[Table]
Picker: TypeAlias = Callable[[Sequence[int]], Any]


@dataclass(frozen=True)
class Path:
    """A way to look facts up: by the arguments at the positions ``known``.

    ``key`` gives where a fact stands in the table, ``value`` what stands there of it.
    """

    predicate: str
    known: tuple[int, ...]
    other: tuple[int, ...]
    key: Picker = field(init=False, compare=False, repr=False)
    value: Picker = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", picker(self.known))
        object.__setattr__(self, "value", picker(self.other))


def picker(places: Sequence[int]) -> Picker:
    """A bare argument for one place, a tuple for none or several."""
    return cast("Picker", itemgetter(*places)) if places else _none


def _none(values: Sequence[int]) -> tuple[int, ...]:
    return ()


@dataclass
class Layout:
    """The paths in use, numbered as the tables are."""

    paths: list[Path] = field(default_factory=list[Path])

    def number(self, predicate: str, arity: int, known: Sequence[int]) -> int:
        """The table to look in; asked for here first, it is made for every game."""
        path = Path(predicate, tuple(known), tuple(i for i in range(arity) if i not in known))
        if path not in self.paths:
            self.paths.append(path)
        return self.paths.index(path)

    def copy(self) -> Layout:
        """For additions that others must not see."""
        return Layout(list(self.paths))

    def of(self, predicate: str) -> tuple[tuple[int, Path], ...]:
        """The tables that a fact of ``predicate`` stands in."""
        return tuple((number, path) for number, path in enumerate(self.paths) if path.predicate == predicate)

    def build(self, facts: Mapping[str, Iterable[Fact]]) -> Tables:
        """All tables of a game's first state."""
        return [_build(path, facts.get(path.predicate, ())) for path in self.paths]


def _build(path: Path, facts: Iterable[Fact]) -> Table:
    if not path.other:
        return {path.key(fact): True for fact in facts}
    table: dict[Any, list[Any]] = {}
    for fact in sorted(facts):
        table.setdefault(path.key(fact), []).append(path.value(fact))
    return {key: tuple(values) for key, values in table.items()}


def updated(tables: Tables, number: int, path: Path, fact: Fact, present: bool) -> None:
    """Replace one of ``tables`` (a list of the caller's own) by a copy with or without ``fact``."""
    table = tables[number].copy()
    key = path.key(fact)
    if not path.other:
        if present:
            table[key] = True
        else:
            table.pop(key, None)
    else:
        value = path.value(fact)
        values = [other for other in table.get(key, ()) if other != value]
        if present:
            values.append(value)
            values.sort()
        if values:
            table[key] = tuple(values)
        else:
            table.pop(key, None)
    tables[number] = table
