"""An action of the domain made ready to play: searching who can do it to what, doing it, and the words for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from services.alfworld.domain import Domain, Effect, Literal, Schema, literals
from services.alfworld.grammar import ActionText, Expression, Rule, parse_symbols
from services.alfworld.grammar import Literal as Words
from services.alfworld.query import Planner, Scope, Step, Test, conjuncts, keep
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
    """The words of an action. The command depends only on the parameters that ``named`` picks, and begins with ``prefix``."""

    prefix: str
    named: Callable[[Sequence[int]], Any]
    command: Text
    feedback: Text
    width: int


@dataclass(frozen=True, slots=True)
class Action:
    """A binding of an action is the constants of the rules, then ``arity`` parameters, then what its searches need.

    ``searches`` find the parameters of all that can be done now. ``given`` are the facts required beforehand where the
    action can turn out to change nothing: the original leaves such actions out. ``fluents`` are the changing predicates
    that decide whether it can be done.
    """

    name: str
    arity: int
    width: int
    searches: tuple[Step, ...]
    fluents: frozenset[str]
    deeds: tuple[Deed, ...]
    given: tuple[Deed, ...] | None
    phrases: Phrases

    def changes(self, binding: Sequence[int]) -> bool:
        """Whether doing it changes anything."""
        if self.given is None:
            return True
        given = {(deed.predicate, tuple(binding[i] for i in deed.places), deed.present) for deed in self.given}
        made = {(deed.predicate, tuple(binding[i] for i in deed.places)) for deed in self.deeds if deed.present}
        if any((*fact, True) not in given for fact in made):
            return True
        ended = {(deed.predicate, tuple(binding[i] for i in deed.places)) for deed in self.deeds if not deed.present}
        return any((*fact, False) not in given for fact in ended - made)


def make_action(
    schema: Schema, words: ActionText, domain: Domain, writer: Writer, constants: Sequence[str], changing: set[str]
) -> Action:
    """``schema`` made ready. Raises ``data_corrupt``."""
    planner = writer.planner
    first = len(constants)
    scope = Scope({name: place for place, name in enumerate((*constants, *(name for name, _ in schema.parameters)))})
    alternatives = conjuncts(schema.precondition, dict(schema.parameters), domain)
    if any(kind not in domain.types for _, kind in schema.parameters):
        alternatives = []  # nothing is of a type that is not declared
    end = keep(first, first + len(schema.parameters))
    searches = tuple(planner.chain(conjunct, scope, set(constants), end) for conjunct in alternatives)
    required = literals(schema.precondition)
    return Action(
        name=schema.name,
        arity=len(schema.parameters),
        width=len(scope.places),
        searches=searches,
        fluents=frozenset(literal.predicate for literal in required if literal.predicate in changing),
        deeds=tuple(_deed(effect, planner, scope) for effect in schema.effects),
        given=_given(schema, required, scope),
        phrases=_phrases(schema, words, writer, changing),
    )


def _deed(effect: Effect, planner: Planner, scope: Scope) -> Deed:
    literal = effect.literal
    places = tuple(scope.places[arg] for arg in literal.args)
    test = planner.test(effect.condition, scope) if literals(effect.condition) else None
    return Deed(literal.predicate, places, literal.positive, test)


def _given(schema: Schema, required: Sequence[Literal], scope: Scope) -> tuple[Deed, ...] | None:
    """What is required, for an action whose every effect might be required already; None for others."""
    known = {(literal.predicate, literal.positive) for literal in required}
    made = {effect.literal.predicate for effect in schema.effects if effect.literal.positive}
    for effect in schema.effects:
        predicate = effect.literal.predicate
        idle = (predicate, True) in known if effect.literal.positive else (predicate, False) in known or predicate in made
        if not idle or literals(effect.condition):
            return None
    return tuple(
        Deed(literal.predicate, tuple(scope.places[arg] for arg in literal.args), literal.positive)
        for literal in required
        if all(arg in scope.places for arg in literal.args)
    )


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
    places = [place for place, name in enumerate(names) if name in used]
    return Phrases(
        prefix=symbols[0].text if symbols and isinstance(symbols[0], Words) else "",
        named=itemgetter(*places) if places else _nobody,
        command=writer.text(words.template, known, scope),
        feedback=writer.text(words.feedback, known, scope),
        width=len(scope.places),
    )


def _nobody(parameters: Sequence[int]) -> tuple[int, ...]:
    return ()
