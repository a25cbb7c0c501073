"""A domain and a grammar together, made ready to play.

Nearly all games share both texts, so this is done once for each pair and kept in a :class:`Rulebook`.
"""

from __future__ import annotations

import json
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.alfworld.action import Action, make_action
from services.alfworld.domain import Condition, Domain, Literal, Schema, literals, parse_domain
from services.alfworld.grammar import Grammar, Rule, parse_grammar, parse_symbols
from services.alfworld.query import Planner, Scope, conjuncts, is_variable
from services.alfworld.tables import Fact, Layout
from services.alfworld.text import NEGATED, Known, Text, Writer
from services.alfworld.wording import HELP, reworded
from shared.errors import RestepError

_TASK: Final = re.compile(r'("task"\s*:\s*\[\s*\{\s*"rhs"\s*:\s*)("(?:[^"\\]|\\.)*")')
_PLAIN: Final = re.compile(r'[^;|"<>\[\]#{}]*')
_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class Local:
    """Actions that depend on one changing predicate only, where the agent is; ``table`` holds all its facts."""

    table: int
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is common to all games of one domain and grammar. ``look`` and ``task`` are texts without parameters."""

    domain: Domain
    layout: Layout
    constants: tuple[str, ...]
    actions: tuple[Action, ...]
    local: Local
    elsewhere: tuple[Action, ...]
    look: Text
    task: Text
    width: int


class Rulebook:
    """Rules by their texts, the latest few."""

    def __init__(self) -> None:
        self._domains: OrderedDict[str, Domain] = OrderedDict()
        self._rules: OrderedDict[tuple[str, str, str], Rules] = OrderedDict()

    def domain(self, text: str) -> Domain:
        """The domain in ``text``. Raises ``data_corrupt``."""
        if (domain := self._domains.get(text)) is None:
            domain = self._domains[text] = parse_domain(text)
            _forget(self._domains)
        return domain

    def rules(self, domain: str, grammar: str, style: str, facts: Mapping[str, Sequence[Fact]]) -> Rules:
        """The rules of these texts, worded in ``style``; ``facts`` of some game tell which searches are quick.

        Raises ``data_corrupt`` for texts that are damaged or not understood.
        """
        key = (domain, grammar, style)
        if (rules := self._rules.get(key)) is None:
            rules = self._rules[key] = make_rules(self.domain(domain), reworded(parse_grammar(grammar), style), facts)
            _forget(self._rules)
        return rules


def _forget(kept: OrderedDict[str, Domain] | OrderedDict[tuple[str, str, str], Rules]) -> None:
    if len(kept) > _KEPT:
        kept.popitem(last=False)


def split_task(grammar: str) -> tuple[str, str | None]:
    """The grammar without its task statement, which is a game's own, and the statement; None where it is no plain text."""
    match = _TASK.search(grammar)
    if match is None:
        return grammar, None
    try:
        task = str(json.loads(match[2]))
    except ValueError:
        return grammar, None
    if _PLAIN.fullmatch(task) is None or task.lstrip().startswith("//"):
        return grammar, None
    return f'{grammar[: match.start(2)]}""{grammar[match.end(2) :]}', task.lstrip()


def make_rules(domain: Domain, grammar: Grammar, facts: Mapping[str, Sequence[Fact]]) -> Rules:
    """Every action of the domain with its words. Raises ``data_corrupt``."""
    schemas = [schema for schema in domain.schemas.values() if schema.name in grammar.actions]
    if silent := domain.schemas.keys() - grammar.actions.keys() - {HELP}:
        raise RestepError("data_corrupt", f"grammar: action {min(silent)} of the domain has no words")
    changing = {effect.literal.predicate for schema in schemas for effect in schema.effects}
    constants = tuple(sorted({arg for schema in schemas for arg in _mentioned(schema) if not is_variable(arg)}))
    layout = Layout()
    writer = Writer(grammar, domain, Planner(layout, facts))
    actions = [
        make_action(number, schema, grammar.actions[schema.name], domain, writer, constants, changing)
        for number, schema in enumerate(schemas)
    ]
    _check_intro(grammar)
    scope = Scope()
    look = writer.rule("look.feedback", Known({}), scope)
    task = writer.rule("task", Known({}), scope)
    _check_texts(writer.mentioned, schemas, domain)
    local = _local(actions, layout)
    return Rules(
        domain=domain,
        layout=layout,
        constants=constants,
        actions=tuple(actions),
        local=local,
        elsewhere=tuple(action for action in actions if action not in local.actions),
        look=look,
        task=task,
        width=len(scope.places),
    )


def _local(actions: Sequence[Action], layout: Layout) -> Local:
    """The predicate that alone decides most actions, provided that all its facts can be seen at once."""
    alone = Counter(next(iter(action.fluents)) for action in actions if len(action.fluents) == 1)
    for predicate, _ in alone.most_common():
        for number, path in layout.of(predicate):
            if not path.known:
                return Local(number, tuple(action for action in actions if action.fluents <= {predicate}))
    return Local(0, ())


def _mentioned(schema: Schema) -> Iterable[str]:
    conditions: list[Condition] = [schema.precondition, *(effect.condition for effect in schema.effects)]
    stated = [literal for condition in conditions for literal in literals(condition)]
    return [arg for literal in (*stated, *(effect.literal for effect in schema.effects)) for arg in literal.args]


def _check_intro(grammar: Grammar) -> None:
    """The first text is a banner, a look and the task: the look is the first observation."""
    alternatives = grammar.rules.get("intro", ())
    symbols = parse_symbols(alternatives[0].text) if len(alternatives) == 1 else ()
    if [symbol.name for symbol in symbols if isinstance(symbol, Rule)] != ["look.feedback", "task"]:
        raise RestepError("data_corrupt", "grammar: the intro is not a look and the task")


def _check_texts(mentioned: set[str], schemas: Sequence[Schema], domain: Domain) -> None:
    """The original's texts follow listed effects, not what came true. Refuse where that would make a difference."""
    for schema in schemas:
        alternatives = conjuncts(schema.precondition, dict(schema.parameters), domain)
        for effect in schema.effects:
            predicate = effect.literal.predicate
            if literals(effect.condition) and mentioned & {predicate, NEGATED + predicate}:
                raise RestepError("data_corrupt", f"grammar: a text depends on {predicate}, which changes on a condition")
            if effect.literal.positive or NEGATED + predicate not in mentioned:
                continue
            ended = Literal(predicate, effect.literal.args)
            if not all(ended in conjunct.literals for conjunct in alternatives):
                raise RestepError(
                    "data_corrupt", f"grammar: a text depends on {NEGATED}{predicate}, which {schema.name} may add"
                )
