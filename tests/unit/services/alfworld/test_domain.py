"""PDDL domains: what is understood, and that the rest is refused."""

from __future__ import annotations

import pytest

from services.alfworld.domain import And, Effect, Exists, Literal, Or, literals, parse_condition, parse_domain
from services.alfworld.lisp import read
from shared.errors import RestepError

TEXT = """
(define (domain Tiny)
 (:requirements :adl)
 (:types cup shelf)
 (:predicates (on ?c - cup ?s - shelf) (red ?c - cup) (full ?s - shelf))
 (:functions (total-cost))
 (:action Put ; a comment
   :parameters (?c - cup ?s - shelf)
   :precondition (and (not (full ?s)) (or (red ?c) (exists (?x - cup) (on ?x ?s))))
   :effect (and (on ?c ?s) (not (red ?c)) (when (red ?c) (full ?s)) (increase (total-cost) 1))
 )
)
"""
DOMAIN = parse_domain(TEXT)


def test_an_action_is_read_in_full() -> None:
    put = DOMAIN.schemas["put"]
    red, full = Literal("red", ("?c",)), Literal("full", ("?s",))
    assert put.parameters == (("?c", "cup"), ("?s", "shelf"))
    inner = Exists((("?x", "cup"),), Literal("on", ("?x", "?s")))
    assert put.precondition == And((Literal("full", ("?s",), positive=False), Or((red, inner))))
    assert put.effects == (
        Effect(Literal("on", ("?c", "?s"))),
        Effect(Literal("red", ("?c",), positive=False)),
        Effect(full, red),
    )
    assert [literal.predicate for literal in literals(put.precondition)] == ["full", "red", "on"]


def condition(text: str) -> object:
    return parse_condition(read(text), DOMAIN)


def test_negation_is_pushed_inwards() -> None:
    red = Literal("red", ("a",))
    assert condition("(not (and (red a) (not (red a))))") == Or((Literal("red", ("a",), positive=False), red))
    assert condition("(not (or (red a)))") == And((Literal("red", ("a",), positive=False),))


def test_nothing_is_of_a_type_that_is_not_declared() -> None:
    assert condition("(exists (?l - cup, ?c - cup) (red ?c))") == Or()


@pytest.mark.parametrize(
    "text",
    [
        "(red a b)",
        "(blue a)",
        "(forall (?c - cup) (red ?c))",
        "(not (exists (?c - cup) (red ?c)))",
        "(imply (red a) (red b))",
        "(= a)",
        "((red a))",
    ],
)
def test_conditions_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(RestepError) as failure:
        condition(text)
    assert failure.value.code == "data_corrupt"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(:requirements :adl)", "(:derived (x))"),
        (":types cup shelf", ":types cup - shelf shelf"),
        ("(increase (total-cost) 1)", "(forall (?x - cup) (red ?x))"),
        ("(increase (total-cost) 1)", "(when (red ?c) (when (red ?c) (full ?s)))"),
        ("(increase (total-cost) 1)", "(= ?c ?c)"),
        (":precondition", ":condition"),
        ("(define", "(define-durative"),
        ("(full ?s)", "(full ?s ?c)"),
    ],
)
def test_domains_that_are_not_understood_are_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(RestepError) as failure:
        parse_domain(TEXT.replace(old, new))
    assert failure.value.code == "data_corrupt"
