"""An action of the domain made ready to play: searching who can do it to what, doing it, and the words for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.alfworld.domain import Domain, Effect, Literal, Schema, literals
from services.alfworld.grammar import ActionText, Expression, Rule, parse_symbols
from services.alfworld.grammar import Literal as Words
from services.alfworld.query import Binding, Planner, Scope, Step, Test, conjuncts, keep
from services.alfworld.tables import Picker, Tables, picker
from services.alfworld.text import Known, Text, Writer
from shared.errors import RestepError


@dataclass(frozen=True, slots=True)
class Deed:
    """An effect, with the places of its arguments in a binding; ``test``, where there is one, must hold before."""

    predicate: str
    places: tuple[int, ...]
    present: bool
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words of an action. The command depends only on the parameters at ``places``, and begins with ``prefix``."""

    prefix: str
    places: tuple[int, ...]
    named: Picker
    command: Text
    feedback: Text
    width: int


@dataclass(frozen=True, slots=True)
class Action:
    """A binding of an action is the constants of the rules, then ``arity`` parameters, then what its searches need.

    ``searches`` find the parameters of all that can be done now, maybe some of them ``repeated``; ``recalls`` do when
    those that the command names are bound already. ``fluents`` are the changing predicates that decide whether it can
    be done.
    """

    number: int
    name: str
    arity: int
    width: int
    searches: tuple[Step, ...]
    recalls: tuple[Step, ...]
    repeated: bool
    fluents: frozenset[str]
    deeds: tuple[Deed, ...]
    phrases: Phrases


def make_action(
    number: int, schema: Schema, words: ActionText, domain: Domain, writer: Writer, constants: Sequence[str], changing: set[str]
) -> Action:
    """``schema`` made ready. Raises ``data_corrupt``."""
    planner = writer.planner
    first = len(constants)
    scope = Scope({name: place for place, name in enumerate((*constants, *(name for name, _ in schema.parameters)))})
    alternatives = conjuncts(schema.precondition, dict(schema.parameters), domain)
    if any(kind not in domain.types for _, kind in schema.parameters):
        alternatives = []  # nothing is of a type that is not declared
    known = len(scope.places)
    required = literals(schema.precondition)
    end = _unless(_idle(schema, required, scope), keep(first, known))
    phrases = _phrases(schema, words, writer, changing)
    named = {schema.parameters[place][0] for place in phrases.places}
    searches = tuple(planner.chain(conjunct, scope, set(constants), end) for conjunct in alternatives)
    recalls = tuple(planner.chain(conjunct, scope, {*constants, *named}, end) for conjunct in alternatives)
    effects = sorted(schema.effects, key=lambda effect: effect.literal.positive)  # what is ended and made is there after
    return Action(
        number=number,
        name=schema.name,
        arity=len(schema.parameters),
        width=len(scope.places),
        searches=searches,
        recalls=recalls,
        repeated=len(searches) > 1 or len(scope.places) > known,
        fluents=frozenset(literal.predicate for literal in required if literal.predicate in changing),
        deeds=tuple(_deed(effect, planner, scope) for effect in effects),
        phrases=phrases,
    )


def _deed(effect: Effect, planner: Planner, scope: Scope) -> Deed:
    literal = effect.literal
    places = tuple(scope.places[arg] for arg in literal.args)
    test = planner.test(effect.condition, scope) if literals(effect.condition) else None
    return Deed(literal.predicate, places, literal.positive, test)


def _idle(schema: Schema, required: Sequence[Literal], scope: Scope) -> list[list[list[tuple[int, int]]]] | None:
    """When an action would change nothing: for each effect, the ways in which it can be so already, each a list of
    pairs of places that must hold the same. None for an action that always changes something.
    """
    made = [effect.literal for effect in schema.effects if effect.literal.positive]
    ways: list[list[list[tuple[int, int]]]] = []
    for effect in schema.effects:
        literal = effect.literal
        there = [one for one in required if one.predicate == literal.predicate and one.positive == literal.positive]
        there += [one for one in made if one.predicate == literal.predicate and not literal.positive]
        if not there or literals(effect.condition):
            return None
        pairs = [zip(literal.args, one.args, strict=True) for one in there if all(arg in scope.places for arg in one.args)]
        ways.append([[(scope.places[a], scope.places[b]) for a, b in way if a != b] for way in pairs])
    return ways


def _unless(idle: list[list[list[tuple[int, int]]]] | None, end: Step) -> Step:
    """``end`` for what changes something: the original leaves out the rest."""
    if idle is None:
        return end
    if all(len(ways) == 1 for ways in idle):
        pairs = tuple({(min(pair), max(pair)) for ways in idle for pair in ways[0]})

        def differing(tables: Tables, binding: Binding, found: list[Any]) -> bool:
            for a, b in pairs:
                if binding[a] != binding[b]:
                    return end(tables, binding, found)
            return False

        return differing

    def changing(tables: Tables, binding: Binding, found: list[Any]) -> bool:
        if all(any(all(binding[a] == binding[b] for a, b in way) for way in ways) for ways in idle):
            return False
        return end(tables, binding, found)

    return changing


def _phrases(schema: Schema, words: ActionText, writer: Writer, changing: set[str]) -> Phrases:
    names = [name.removeprefix("?") for name, _ in schema.parameters]
    known = Known({name: kind for name, (_, kind) in zip(names, schema.parameters, strict=True)})
    scope = Scope({name: place for place, name in enumerate(names)})
    symbols = parse_symbols(words.template)
    expressions = [symbol for symbol in symbols if isinstance(symbol, Expression)]
    mentions = [mention for expression in expressions for mention in expression.given]
    if any(isinstance(symbol, Rule) for symbol in symbols) or any(m.predicate in changing for m in mentions):
        raise RestepError("data_corrupt", f"grammar: the command of {schema.name} depends on the state")
    used = {name for mention in mentions for name, _ in mention.arguments}
    used |= {name for expression in expressions for name in re.findall(r"\w+", str(expression.inner))}
    places = tuple(place for place, name in enumerate(names) if name in used)
    return Phrases(
        prefix=symbols[0].text if symbols and isinstance(symbols[0], Words) else "",
        places=places,
        named=picker(places),
        command=writer.text(words.template, known, scope),
        feedback=writer.text(words.feedback, known, scope),
        width=len(scope.places),
    )
