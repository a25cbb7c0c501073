"""The rules of a game as its PDDL domain states them: predicates, and actions with conditions and effects.

Reads the part of PDDL that ALFWorld uses and refuses the rest: a construct that is not understood would otherwise
become a rule that is silently different.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from services.alfworld.lisp import Tree, read, typed, words
from shared.errors import RestepError

ROOT: Final = "object"
"""The type of everything; a domain may also use it as the type of things."""

_IGNORED: Final = frozenset({":requirements", ":functions"})


@dataclass(frozen=True, slots=True)
class Literal:
    """``predicate(args)`` or its negation. Variables begin with a question mark; ``=`` is a predicate."""

    predicate: str
    args: tuple[str, ...]
    positive: bool = True


@dataclass(frozen=True, slots=True)
class And:
    """All parts; with none it is true."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """Any part; with none it is false."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Exists:
    """Something of these types makes the body true."""

    variables: tuple[tuple[str, str], ...]
    body: Condition


Condition: TypeAlias = Literal | And | Or | Exists


@dataclass(frozen=True, slots=True)
class Effect:
    """A literal that becomes true where ``condition`` held before."""

    literal: Literal
    condition: Condition = And()


@dataclass(frozen=True, slots=True)
class Schema:
    """An action with its variables still open."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    precondition: Condition
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """Types, the parameter types of each predicate, and the actions by name."""

    types: frozenset[str]
    predicates: dict[str, tuple[str, ...]]
    schemas: dict[str, Schema]

    def check(self, literal: Literal) -> Literal:
        """``literal`` itself. Raises ``data_corrupt`` where predicate or number of arguments is not declared."""
        arity = 2 if literal.predicate == "=" else len(self.predicates.get(literal.predicate, ("undeclared",) * 9))
        if arity != len(literal.args):
            raise RestepError("data_corrupt", f"PDDL: {literal.predicate} with {len(literal.args)} arguments is not declared")
        return literal


def parse_domain(text: str) -> Domain:
    """The domain in ``text``. Raises ``data_corrupt``."""
    tree = read(text)
    if not tree or tree[0] != "define":
        raise RestepError("data_corrupt", "PDDL domain: it does not begin with (define")
    types: set[str] = {ROOT}
    predicates: dict[str, tuple[str, ...]] = {}
    actions: list[list[Tree]] = []
    for part in tree[2:]:
        head, body = _section(part)
        if head == ":types":
            pairs = typed(words(body, ":types"))
            if any(parent != ROOT for _, parent in pairs):
                raise RestepError("data_corrupt", "PDDL domain: types of types are not supported")
            types.update(name for name, _ in pairs)
        elif head == ":predicates":
            for declared in body:
                name, *parameters = words(declared, ":predicates")
                predicates[name] = tuple(kind for _, kind in typed(parameters))
        elif head == ":action":
            actions.append(body)
        elif head not in _IGNORED:
            raise RestepError("data_corrupt", f"PDDL domain: {head} is not supported")
    domain = Domain(frozenset(types), predicates, {})
    for body in actions:
        schema = _schema(body, domain)
        domain.schemas[schema.name] = schema
    return domain


def parse_condition(tree: Tree, domain: Domain) -> Condition:
    """A precondition or goal. Raises ``data_corrupt``."""
    if isinstance(tree, str):
        raise RestepError("data_corrupt", f"PDDL: {tree!r} is no condition")
    if not tree:
        return And()
    head, rest = tree[0], tree[1:]
    if head in ("and", "or"):
        parts = tuple(parse_condition(part, domain) for part in rest)
        return And(parts) if head == "and" else Or(parts)
    if head == "exists" and len(rest) == 2:
        variables = tuple(typed(words(rest[0], "exists")))
        if any(kind not in domain.types for _, kind in variables):
            return Or()  # nothing is of a type that is not declared
        return Exists(variables, parse_condition(rest[1], domain))
    if head == "not" and len(rest) == 1:
        return _negated(parse_condition(rest[0], domain))
    if isinstance(head, list) or head in ("not", "exists", "forall", "imply", "when"):
        raise RestepError("data_corrupt", f"PDDL: {head} is not supported here")
    return domain.check(Literal(head, tuple(words(rest, head))))


def _negated(condition: Condition) -> Condition:
    if isinstance(condition, Literal):
        return Literal(condition.predicate, condition.args, not condition.positive)
    if isinstance(condition, And):
        return Or(tuple(_negated(part) for part in condition.parts))
    if isinstance(condition, Or):
        return And(tuple(_negated(part) for part in condition.parts))
    raise RestepError("data_corrupt", "PDDL: (not (exists is not supported")


def _section(part: Tree) -> tuple[str, list[Tree]]:
    if isinstance(part, str) or not part or not isinstance(part[0], str):
        raise RestepError("data_corrupt", "PDDL: expected a section that begins with a keyword")
    return part[0], part[1:]


def _schema(body: list[Tree], domain: Domain) -> Schema:
    if not body or not isinstance(body[0], str) or len(body) % 2 == 0:
        raise RestepError("data_corrupt", "PDDL: an action without name, or with a keyword without its value")
    fields = {str(key): value for key, value in zip(body[1::2], body[2::2], strict=True)}
    if unknown := fields.keys() - {":parameters", ":precondition", ":effect"}:
        raise RestepError("data_corrupt", f"PDDL action {body[0]}: {sorted(unknown)[0]} is not supported")
    return Schema(
        name=body[0],
        parameters=tuple(typed(words(fields.get(":parameters", []), f"parameters of {body[0]}"))),
        precondition=parse_condition(fields.get(":precondition", []), domain),
        effects=tuple(_effects(fields.get(":effect", []), domain, And())),
    )


def _effects(tree: Tree, domain: Domain, condition: Condition) -> Iterable[Effect]:
    head, rest = _section(tree)
    if head == "and":
        for part in rest:
            yield from _effects(part, domain, condition)
    elif head == "when" and len(rest) == 2 and condition == And():
        yield from _effects(rest[1], domain, parse_condition(rest[0], domain))
    elif head != "increase":  # costs change nothing that is played
        literal = parse_condition(tree, domain)
        if not isinstance(literal, Literal) or literal.predicate == "=":
            raise RestepError("data_corrupt", f"PDDL: effect {head} is not supported")
        yield Effect(literal, condition)


def literals(condition: Condition) -> Sequence[Literal]:
    """Every literal that occurs in ``condition``."""
    if isinstance(condition, Literal):
        return [condition]
    parts = (condition.body,) if isinstance(condition, Exists) else condition.parts
    return [literal for part in parts for literal in literals(part)]
