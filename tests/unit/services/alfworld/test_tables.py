"""Tables changed step by step are the tables made anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.alfworld.tables import Fact, Layout, updated

FACTS = st.tuples(st.integers(0, 3), st.integers(0, 3))


def layout() -> Layout:
    made = Layout()
    for known in ((), (0,), (1,), (0, 1)):
        made.number("p", 2, known)
    return made


def test_asking_twice_gives_the_same_table() -> None:
    made = layout()
    assert made.number("p", 2, (1,)) == 2
    assert made.number("q", 2, (1,)) == 4
    assert made.copy().number("r", 1, ()) == 5
    assert [number for number, _ in made.of("p")] == [0, 1, 2, 3]


def test_a_table_gives_the_other_arguments_sorted() -> None:
    assert layout().build({"p": [(2, 1), (1, 1), (1, 0)]}) == [
        {(): ((1, 0), (1, 1), (2, 1))},
        {1: (0, 1), 2: (1,)},
        {0: (1,), 1: (1, 2)},
        {(2, 1): True, (1, 1): True, (1, 0): True},
    ]


@given(st.sets(FACTS), st.lists(st.tuples(FACTS, st.booleans())))
def test_changes_one_by_one_are_the_facts_together(first: set[Fact], changes: list[tuple[Fact, bool]]) -> None:
    made = layout()
    facts, tables = set(first), made.build({"p": first})
    for fact, present in changes:
        before = [dict(table) for table in tables]
        changed = tables.copy()
        for number, path in made.of("p"):
            updated(changed, number, path, fact, present)
        assert tables == before  # others may hold them
        tables = changed
        facts = facts | {fact} if present else facts - {fact}
    assert tables == made.build({"p": facts})
