"""Texts from the grammar of a game, made into functions once and called with a state.

The meaning is that of the original engine: the first alternative whose condition holds; lists in the order of the
internal ids; different names stand for different things; names found on the way stay known further in.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from services.alfworld.domain import Domain, Literal
from services.alfworld.grammar import Alternative, Expression, Grammar, Mention, Rule, parse_symbols
from services.alfworld.grammar import Literal as Words
from services.alfworld.query import Binding, Conjunct, Planner, Scope, Step, stop
from services.alfworld.tables import Tables
from shared.errors import RestepError

Names: TypeAlias = Sequence[str]
Text: TypeAlias = Callable[[Tables, Binding, Names], str]

NEGATED: Final = "not_"
"""``not_p`` is true of what an action has made untrue: texts ask for it, rules do not."""

_DEEPEST: Final = 30
_ARTICLES: Final = {"indefinite": "a", "definite": "the"}


@dataclass(frozen=True, slots=True)
class Known:
    """The names a text may use, with their types."""

    types: dict[str, str]

    def and_those_of(self, mentions: Sequence[Mention]) -> Known:
        """Those names too. Raises ``data_corrupt`` when one name is given two types."""
        types = dict(self.types)
        for mention in mentions:
            for name, kind in mention.arguments:
                if types.setdefault(name, kind) != kind:
                    raise RestepError("data_corrupt", f"grammar: {name} is both a {types[name]} and a {kind}")
        return Known(types)


class Writer:
    """Makes the texts of one grammar on one domain."""

    def __init__(self, grammar: Grammar, domain: Domain, planner: Planner) -> None:
        self._grammar = grammar
        self._domain = domain
        self.planner = planner
        self.mentioned: set[str] = set()
        """Predicates that some text depends on."""

    def text(self, source: str, known: Known, scope: Scope, depth: int = 0) -> Text:
        """The text of ``source``. Names get places in ``scope``. Raises ``data_corrupt``."""
        if depth > _DEEPEST:
            raise RestepError("data_corrupt", "grammar: a rule leads back to itself")
        parts = [self._symbol(symbol, known, scope, depth + 1) for symbol in parse_symbols(source)]
        if len(parts) == 1:
            return parts[0]
        return lambda tables, binding, names: "".join([part(tables, binding, names) for part in parts])

    def rule(self, name: str, known: Known, scope: Scope, depth: int = 0) -> Text:
        """The text of a rule. Raises ``data_corrupt`` where there is none or it may fail to give a text."""
        alternatives = self._grammar.rules.get(name)
        if not alternatives:
            raise RestepError("data_corrupt", f"grammar: there is no rule {name!r}")
        if alternatives[-1].condition:
            raise RestepError("data_corrupt", f"grammar: rule {name!r} may have no alternative")
        made = [(self._condition(one, known, scope), self.text(one.text, known, scope, depth)) for one in alternatives]
        if len(made) == 1:
            return made[0][1]

        def choose(tables: Tables, binding: Binding, names: Names) -> str:
            for condition, text in made:
                if condition is None or condition(tables, binding, []):
                    return text(tables, binding, names)
            raise AssertionError("the last alternative has no condition")

        return choose

    def _condition(self, alternative: Alternative, known: Known, scope: Scope) -> Step | None:
        """None where there is no condition. What a condition finds is not known to the text."""
        return self._search(alternative.condition, known, scope, stop) if alternative.condition else None

    def _symbol(self, symbol: Words | Rule | Expression, known: Known, scope: Scope, depth: int) -> Text:
        if isinstance(symbol, Words):
            return lambda tables, binding, names: symbol.text
        if isinstance(symbol, Rule):
            return self.rule(symbol.name, known, scope, depth)
        inner = known.and_those_of(symbol.given)
        for name in inner.types:
            scope.place(name)
        if isinstance(symbol.inner, Rule):
            item = self.rule(symbol.inner.name, inner, scope, depth)
        else:
            item = _expression(symbol.inner, inner, scope)
        if not symbol.given:
            return item
        return self._each(symbol, item, known, scope, depth)

    def _each(self, symbol: Expression, item: Text, known: Known, scope: Scope, depth: int) -> Text:
        def end(tables: Tables, binding: Binding, found: list[Any]) -> bool:
            found.append(binding.copy())
            return False

        search = self._search(symbol.given, known, scope, end)
        separators = ("list_empty", "list_separator", "list_last_separator")
        nothing, comma, last = [self.rule(name, known, scope, depth) for name in separators] if symbol.listed else [None] * 3

        def each(tables: Tables, binding: Binding, names: Names) -> str:
            found: list[Binding] = []
            search(tables, binding, found)
            items = [item(tables, one, names) for one in found]
            if nothing is None or comma is None or last is None:
                return "".join(items)
            if not items:
                return nothing(tables, binding, names)
            if len(items) == 1:
                return items[0]
            return comma(tables, binding, names).join(items[:-1]) + last(tables, binding, names) + items[-1]

        return each

    def _search(self, mentions: Sequence[Mention], known: Known, scope: Scope, end: Step) -> Step:
        names = dict(known.types)
        literals: list[Literal] = []
        for mention in mentions:
            self._check(mention)
            self.mentioned.add(mention.predicate)
            literals.append(Literal(mention.predicate, tuple("?" + name for name, _ in mention.arguments)))
            for name, kind in mention.arguments:
                if name not in names:
                    literals += [Literal("=", (f"?{name}", f"?{other}"), False) for other, its in names.items() if its == kind]
                    names[name] = kind
        places = Scope({f"?{name}": scope.place(name) for name in names})
        before = {f"?{name}" for name in known.types}
        return self.planner.chain(Conjunct(tuple(literals)), places, before, end, ordered=True)

    def _check(self, mention: Mention) -> None:
        predicate = mention.predicate.removeprefix(NEGATED)
        declared = self._domain.predicates.get(predicate)
        if declared != tuple(kind for _, kind in mention.arguments):
            raise RestepError("data_corrupt", f"grammar: {mention.predicate} is used otherwise than the domain declares it")


def _expression(source: str, known: Known, scope: Scope) -> Text:
    """``o.indefinite + ' ' + o.name`` and the like. Raises ``data_corrupt`` for anything else."""
    try:
        return _made(ast.parse(source.strip(), mode="eval").body, known, scope)
    except SyntaxError:
        raise RestepError("data_corrupt", f"grammar: cannot read the expression {source!r}") from None


def _made(node: ast.expr, known: Known, scope: Scope) -> Text:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        value = node.value
        return lambda tables, binding, names: value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _made(node.left, known, scope), _made(node.right, known, scope)
        return lambda tables, binding, names: left(tables, binding, names) + right(tables, binding, names)
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return _made(node.values[0], known, scope)  # a name is never empty
    thing, attribute = (node.value, node.attr) if isinstance(node, ast.Attribute) else (node, "name")
    if not isinstance(thing, ast.Name) or thing.id not in known.types or attribute not in ("name", *_ARTICLES):
        raise RestepError("data_corrupt", f"grammar: the expression {ast.unparse(node)!r} is not supported")
    if attribute in _ARTICLES:
        article = _ARTICLES[attribute]
        return lambda tables, binding, names: article
    place = scope.place(thing.id)
    return lambda tables, binding, names: names[binding[place]]
