"""Chains of look-ups find exactly what trying everything finds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alfworld.domain import And, Condition, Domain, Exists, Literal, Or
from services.alfworld.query import TYPE, Planner, Scope, conjuncts, keep
from services.alfworld.tables import Fact, Layout
from shared.errors import RestepError

KINDS = {"cup": range(3), "shelf": range(3, 6)}
DOMAIN = Domain(
    frozenset({"object", *KINDS}),
    {"on": ("cup", "shelf"), "red": ("cup",), "near": ("shelf", "shelf"), "calm": ()},
    {},
)
TYPES = {"?c": "cup", "?s": "shelf", "?t": "shelf"}


def facts_of(draw: st.DrawFn) -> dict[str, list[Fact]]:
    kinds = {TYPE + kind: [(one,) for one in members] for kind, members in KINDS.items()}
    chosen = {
        name: sorted(draw(st.sets(st.sampled_from(list(itertools.product(*(KINDS[kind] for kind in kinds)))))))
        for name, kinds in DOMAIN.predicates.items()
    }
    return {**chosen, **kinds}


ATOMS = st.builds(
    Literal, st.just("on"), st.tuples(st.just("?c"), st.sampled_from(["?s", "?t", "top"])), st.booleans()
) | st.sampled_from(
    [
        Literal("red", ("?c",)),
        Literal("red", ("?c",), positive=False),
        Literal("near", ("?s", "?t")),
        Literal("near", ("?t", "?s"), positive=False),
        Literal("=", ("?s", "?t")),
        Literal("=", ("?s", "?t"), positive=False),
        Literal("calm", ()),
        Exists((("?x", "cup"),), And((Literal("on", ("?x", "?s")), Literal("=", ("?x", "?c"), positive=False)))),
        Exists((("?c", "cup"), ("?y", "shelf")), Literal("on", ("?c", "?y"))),
    ]
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=6,
)


def holds(condition: Condition, binding: Mapping[str, int], facts: Mapping[str, list[Fact]]) -> bool:
    if isinstance(condition, And):
        return all(holds(part, binding, facts) for part in condition.parts)
    if isinstance(condition, Or):
        return any(holds(part, binding, facts) for part in condition.parts)
    if isinstance(condition, Exists):
        names = [name for name, _ in condition.variables]
        choices = itertools.product(*(KINDS[kind] for _, kind in condition.variables))
        return any(holds(condition.body, {**binding, **dict(zip(names, one, strict=True))}, facts) for one in choices)
    values = tuple(binding[arg] for arg in condition.args)
    true = values[0] == values[1] if condition.predicate == "=" else values in facts[condition.predicate]
    return true is condition.positive


@given(st.data(), CONDITIONS)
def test_a_search_finds_what_trying_everything_finds(data: st.DataObject, condition: Condition) -> None:
    facts = data.draw(st.composite(facts_of)())
    layout = Layout()
    planner = Planner(layout, facts)
    scope = Scope({name: place for place, name in enumerate(("top", *TYPES))})
    searches = [planner.chain(one, scope, {"top"}, keep(1, 4)) for one in conjuncts(condition, TYPES, DOMAIN)]
    tables = layout.build(facts)
    found: list[Any] = []
    for search in searches:
        assert not search(tables, [4, *[-1] * len(scope.places)], found)
    expected = {
        values
        for values in itertools.product(*(KINDS[kind] for kind in TYPES.values()))
        if holds(condition, {"top": 4, **dict(zip(TYPES, values, strict=True))}, facts)
    }
    assert set(found) == expected


def test_in_a_text_results_come_in_the_order_of_the_words() -> None:
    facts: dict[str, list[Fact]] = {"near": [(5, 3), (3, 4)], "on": [(2, 3), (0, 3), (1, 4)]}
    layout = Layout()
    conjunct = conjuncts(And((Literal("near", ("?s", "?t")), Literal("on", ("?c", "?t")))), {}, DOMAIN)[0]
    search = Planner(layout, facts).chain(conjunct, Scope(), set(), keep(0, 3), ordered=True)
    found: list[Any] = []
    search(layout.build(facts), [-1] * 3, found)
    assert found == [(3, 4, 1), (5, 3, 0), (5, 3, 2)]


def test_a_denial_of_what_nothing_names_is_refused() -> None:
    conjunct = conjuncts(Literal("red", ("?c",), positive=False), {}, DOMAIN)[0]
    with pytest.raises(RestepError) as failure:
        Planner(Layout(), {}).chain(conjunct, Scope(), set(), keep(0, 1))
    assert failure.value.code == "data_corrupt"
