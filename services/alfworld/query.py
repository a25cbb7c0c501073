"""Finding what makes a condition true, without grounding: each condition becomes a chain of table look-ups.

The chain is made once for a domain and shared by all its games. Its order is a matter of speed only, except in texts,
where the order of the results is that of the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, TypeAlias

from services.alfworld.domain import ROOT, And, Condition, Domain, Exists, Literal, Or, literals
from services.alfworld.tables import Fact, Layout, Tables
from shared.errors import RestepError

Binding: TypeAlias = list[int]
Step: TypeAlias = Callable[[Tables, Binding, list[Any]], bool]
"""Continue a search with what is bound so far, adding to the list; True ends the whole search."""
Test: TypeAlias = Callable[[Tables, Binding], bool]

TYPE: Final = "type@"
"""``type@t`` holds of everything of type t."""


@dataclass(frozen=True, slots=True)
class Conjunct:
    """Literals that must all hold, and choices between literals that do not bind anything new."""

    literals: tuple[Literal, ...]
    choices: tuple[Condition, ...] = ()


@dataclass
class Scope:
    """Which place in a binding belongs to which name; names of constants included."""

    places: dict[str, int] = field(default_factory=dict[str, int])

    def place(self, name: str) -> int:
        """The place of ``name``, a new one at its first mention."""
        return self.places.setdefault(name, len(self.places))


def is_variable(name: str) -> bool:
    """Variables begin with a question mark, constants do not."""
    return name.startswith("?")


def variables(condition: Condition) -> set[str]:
    """The variables that occur in ``condition``."""
    return {arg for literal in literals(condition) for arg in literal.args if is_variable(arg)}


def conjuncts(condition: Condition, types: Mapping[str, str], domain: Domain) -> list[Conjunct]:
    """``condition`` on variables of ``types`` as alternatives. Variables that exist for it alone get names of their own."""
    return _conjuncts([condition], dict(types), domain)


def _conjuncts(parts: Sequence[Condition], types: dict[str, str], domain: Domain) -> list[Conjunct]:
    facts: list[Literal] = []
    choices: list[Or] = []
    queue = list(parts)
    while queue:
        part = queue.pop(0)
        if isinstance(part, And):
            queue[:0] = part.parts
        elif isinstance(part, Exists):
            names = {name: f"{name}~{len(types) + index}" for index, (name, _) in enumerate(part.variables)}
            types = types | {names[name]: kind for name, kind in part.variables}
            queue.insert(0, _renamed(part.body, names))
        elif isinstance(part, Or):
            if len(part.parts) == 1:
                queue.insert(0, part.parts[0])
            else:
                choices.append(part)
        else:
            facts.append(part)
    bound = {arg for literal in facts if literal.positive and literal.predicate != "=" for arg in literal.args}
    for choice in choices:
        if not choice.parts or variables(choice) - bound or _has_exists(choice):
            others: list[Condition] = [other for other in choices if other is not choice]
            return [c for part in choice.parts for c in _conjuncts([*facts, *others, part], types, domain)]
    facts += [Literal(TYPE + kind, (name,)) for name, kind in types.items() if not _implied(name, kind, facts, domain)]
    return [Conjunct(tuple(facts), tuple(choices))]


def _renamed(condition: Condition, names: Mapping[str, str]) -> Condition:
    if isinstance(condition, Literal):
        return Literal(condition.predicate, tuple(names.get(arg, arg) for arg in condition.args), condition.positive)
    if isinstance(condition, Exists):
        inner = {old: new for old, new in names.items() if old not in dict(condition.variables)}
        return Exists(condition.variables, _renamed(condition.body, inner))
    return type(condition)(tuple(_renamed(part, names) for part in condition.parts))


def _has_exists(condition: Condition) -> bool:
    if isinstance(condition, Exists):
        return True
    return not isinstance(condition, Literal) and any(_has_exists(part) for part in condition.parts)


def _implied(name: str, kind: str, facts: Sequence[Literal], domain: Domain) -> bool:
    """Some literal binds ``name``, to nothing but things of type ``kind``."""
    kinds = {
        declared
        for literal in facts
        if literal.positive and literal.predicate in domain.predicates
        for arg, declared in zip(literal.args, domain.predicates[literal.predicate], strict=True)
        if arg == name
    }
    return bool(kinds) and (kind == ROOT or kind in kinds)


class Planner:
    """Makes chains of look-ups. ``facts`` of some game, by predicate, tell which order is quick."""

    def __init__(self, layout: Layout, facts: Mapping[str, Sequence[Fact]]) -> None:
        self._layout = layout
        self._facts = facts

    def chain(self, conjunct: Conjunct, scope: Scope, known: set[str], end: Step, *, ordered: bool = False) -> Step:
        """A search for all that satisfies ``conjunct``, given the names ``known``; ``end`` is called with each result.

        Names not known get places in ``scope``. Raises ``data_corrupt`` for a negation of something never bound.
        """
        bound = set(known)
        waiting: list[Condition] = [*conjunct.literals, *conjunct.choices]
        links: list[Callable[[Step], Step]] = []
        while waiting:
            settled = [part for part in waiting if not variables(part) - bound]
            part = (
                settled[0]
                if settled and not (ordered and settled[0] is not waiting[0])
                else self._next(waiting, bound, ordered)
            )
            waiting.remove(part)
            if not variables(part) - bound:
                links.append(_checking(self.test(part, scope)))
            elif isinstance(part, Literal):
                links.append(self._looking(part, scope, bound))
                bound |= variables(part)
        step = end
        for link in reversed(links):
            step = link(step)
        return step

    def _next(self, waiting: Sequence[Condition], bound: set[str], ordered: bool) -> Literal:
        able = [part for part in waiting if isinstance(part, Literal) and part.positive and part.predicate != "="]
        if not able or (ordered and able[0] is not waiting[0]):
            raise RestepError("data_corrupt", "a condition denies something of a thing that nothing else names")
        return able[0] if ordered else min(able, key=lambda literal: self._fan_out(literal, bound))

    def _fan_out(self, literal: Literal, bound: set[str]) -> float:
        """How many results a look-up gives on average; what is true of nothing at first is rarely true of much."""
        facts = self._facts.get(literal.predicate, ())
        known = [i for i, arg in enumerate(literal.args) if arg in bound or not is_variable(arg)]
        keys = {tuple(fact[i] for i in known) for fact in facts}
        return len(facts) / len(keys) if keys else 0.5

    def _looking(self, literal: Literal, scope: Scope, bound: set[str]) -> Callable[[Step], Step]:
        args = literal.args
        known = [i for i, arg in enumerate(args) if arg in bound or not is_variable(arg)]
        new = [arg for i, arg in enumerate(args) if i not in known]
        if len(set(new)) != len(new):
            raise RestepError("data_corrupt", f"{literal.predicate} of twice the same variable is not supported")
        table = self._layout.number(literal.predicate, len(args), known)
        keys = tuple(scope.place(args[i]) for i in known)
        places = tuple(scope.place(name) for name in new)
        return lambda after: _look(table, keys, places, after)

    def test(self, condition: Condition, scope: Scope) -> Test:
        """Whether ``condition`` holds when everything in it is bound."""
        if isinstance(condition, And | Or):
            tests = tuple(self.test(part, scope) for part in condition.parts)
            if isinstance(condition, And):
                return lambda tables, binding: all(test(tables, binding) for test in tests)
            if len(tests) == 2:
                first, second = tests
                return lambda tables, binding: first(tables, binding) or second(tables, binding)
            return lambda tables, binding: any(test(tables, binding) for test in tests)
        if isinstance(condition, Exists):
            raise RestepError("data_corrupt", "PDDL: exists is not supported here")
        places = tuple(scope.place(arg) for arg in condition.args)
        positive = condition.positive
        if condition.predicate == "=":
            left, right = places
            return lambda tables, binding: (binding[left] == binding[right]) is positive
        return self._holds(condition, places)

    def _holds(self, literal: Literal, places: tuple[int, ...]) -> Test:
        positive = literal.positive
        if len(places) == 2:
            table = self._layout.number(literal.predicate, 2, (1,))
            value, key = places
            return lambda tables, binding: (binding[value] in tables[table].get(binding[key], ())) is positive
        table = self._layout.number(literal.predicate, len(places), range(len(places)))
        if len(places) == 1:
            place = places[0]
            return lambda tables, binding: (binding[place] in tables[table]) is positive
        return lambda tables, binding: (tuple(binding[i] for i in places) in tables[table]) is positive


def _checking(test: Test) -> Callable[[Step], Step]:
    def link(after: Step) -> Step:
        return lambda tables, binding, found: test(tables, binding) and after(tables, binding, found)

    return link


def _look(table: int, keys: tuple[int, ...], places: tuple[int, ...], after: Step) -> Step:
    """Bind ``places`` to each entry of a table under what is bound at ``keys``."""
    if len(keys) == 1 and len(places) == 1:
        key, place = keys[0], places[0]

        def look_one(tables: Tables, binding: Binding, found: list[Any]) -> bool:
            for value in tables[table].get(binding[key], ()):
                binding[place] = value
                if after(tables, binding, found):
                    return True
            return False

        return look_one
    pick: Callable[[Binding], Any] = itemgetter(*keys) if keys else lambda _: ()
    single = len(places) == 1

    def look(tables: Tables, binding: Binding, found: list[Any]) -> bool:
        for values in tables[table].get(pick(binding), ()):
            for place, value in zip(places, (values,) if single else values, strict=True):
                binding[place] = value
            if after(tables, binding, found):
                return True
        return False

    return look


def stop(tables: Tables, binding: Binding, found: list[Any]) -> bool:
    """The end of a search for whether there is anything at all."""
    return True


def keep(start: int, stop: int) -> Step:
    """The end of a search for everything: each result is kept as a tuple of the places from ``start`` to ``stop``."""

    def end(tables: Tables, binding: Binding, found: list[Any]) -> bool:
        found.append(tuple(binding[start:stop]))
        return False

    return end
