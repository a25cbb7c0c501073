"""One game's PDDL problem: what is in the house, what is true at first, and the goal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.alfworld.domain import Condition, Domain, parse_condition
from services.alfworld.lisp import Tree, read, typed, words
from services.alfworld.names import display_names
from services.alfworld.query import TYPE
from services.alfworld.tables import Fact
from shared.errors import RestepError

_COSTS: Final = frozenset({"=", "total-cost"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Entities are numbered in the order of their internal ids; ``names`` are what the player reads."""

    numbers: Mapping[str, int]
    names: tuple[str, ...]
    facts: Mapping[str, list[Fact]]
    goal: Condition


def parse_problem(text: str, domain: Domain) -> Problem:
    """The problem in ``text``. Raises ``data_corrupt`` where it is damaged or not of this domain."""
    sections = _sections(read(text))
    kinds = dict(typed(words(sections[":objects"], ":objects")))
    if unknown := set(kinds.values()) - domain.types:
        raise RestepError("data_corrupt", f"PDDL problem: there is no type {sorted(unknown)[0]}")
    numbers = {name: number for number, name in enumerate(sorted(kinds))}
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    mentioned: set[str] = set()
    for name, kind in kinds.items():
        facts[TYPE + kind].append((numbers[name],))
    for predicate, arguments in _init(sections[":init"], domain, kinds):
        facts[predicate].append(tuple(numbers[name] for name in arguments))
        mentioned.update(arguments)
    shown = display_names(mentioned)
    goal = sections[":goal"]
    if len(goal) != 1:
        raise RestepError("data_corrupt", "PDDL problem: it must have one goal")
    return Problem(
        numbers=numbers,
        names=tuple(shown.get(name, name) for name in numbers),
        facts={predicate: list(dict.fromkeys(rows)) for predicate, rows in facts.items()},
        goal=parse_condition(goal[0], domain),
    )


def _sections(tree: list[Tree]) -> dict[str, list[Tree]]:
    sections: dict[str, list[Tree]] = {}
    for part in tree[1:]:
        if isinstance(part, list) and part and isinstance(part[0], str):
            sections[part[0]] = part[1:]
    if tree[:1] != ["define"] or "problem" not in sections:
        raise RestepError("data_corrupt", "PDDL problem: it does not begin with (define (problem")
    if missing := [name for name in (":objects", ":init", ":goal") if name not in sections]:
        raise RestepError("data_corrupt", f"PDDL problem: {missing[0]} is missing")
    return sections


def _init(init: list[Tree], domain: Domain, kinds: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    facts: list[tuple[str, list[str]]] = []
    for part in init:
        if isinstance(part, str) or not part or not isinstance(part[0], str):
            raise RestepError("data_corrupt", "PDDL problem: :init holds something that is no fact")
        if part[0] in _COSTS:
            continue
        predicate, *arguments = words(part, ":init")
        declared = domain.predicates.get(predicate)
        if declared is None or tuple(map(kinds.get, arguments)) != declared:
            raise RestepError(
                "data_corrupt", f"PDDL problem: ({predicate} {' '.join(arguments)}) is not as the domain declares it"
            )
        facts.append((predicate, arguments))
    return facts
