"""The books of a model and its answers: every line once, and seen by all, whoever writes beside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.store import Books, Entry, Tally, TrajectoryStore

LINE = Entry(
    at=0.5, collection="reflected/house", call="judge", kind="answered", prompt_tokens=3, completion_tokens=4, cost=0.5
)


def test_a_line_that_is_written_again_stays_one(store: TrajectoryStore) -> None:
    books = store.books("teacher")
    for _ in range(2):
        books.enter_all({"one": LINE, "two": LINE})
    books.enter(LINE)
    tally = books.tally()
    assert (tally.tokens, tally.cost) == (21, 1.5)
    assert [one.lines for one in books.sums()] == [3]


def test_books_of_two_names_or_experiments_are_two(place: str) -> None:
    with TrajectoryStore(place, namespace="one") as one, TrajectoryStore(place, namespace="two") as two:
        one.books("teacher").enter(LINE)
        assert [where.tally() for where in (one.books("golden"), two.books("teacher"))] == [Tally(), Tally()]
        assert one.runs() == two.runs() == []


def test_tokens_beyond_what_small_numbers_hold(store: TrajectoryStore) -> None:
    books = store.books("teacher")
    for _ in range(2):
        books.enter(replace(LINE, prompt_tokens=2**40, completion_tokens=2**40))
    assert books.tally().tokens == 2**42
    assert books.sums()[0].prompt_tokens == 2**41


def test_of_two_answers_the_first_holds_for_both(store: TrajectoryStore) -> None:
    books = store.books("teacher")
    assert books.answer("k") is None
    assert [books.keep("k", said) for said in ("first", "second")] == ["first", "first"]
    books.keep_all([("k", "third"), ("l", "other")])
    assert [books.answer(key) for key in "kl"] == ["first", "other"]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12))
def test_a_tally_goes_on_from_any_earlier_one(
    open_empty: Callable[[], TrajectoryStore], written: list[tuple[int, bool]]
) -> None:
    with open_empty() as store:
        books, other = store.books("teacher"), store.books("golden")
        tallies = [Tally()]
        for tokens, here in written:
            (books if here else other).enter(replace(LINE, prompt_tokens=tokens))
            tallies.append(books.tally(tallies[-1]))
        assert {books.tally(earlier) for earlier in tallies} == {tallies[-1]} == {books.tally()}


def test_a_tally_that_goes_on_misses_no_line_of_those_who_write_at_once(place: str) -> None:
    writers, lines = 4, 40
    with TrajectoryStore(place) as store, ThreadPoolExecutor(writers) as pool:
        books, written = store.books("teacher"), threading.Event()

        def write(_: int) -> None:
            for _ in range(lines):
                books.enter(LINE)

        def follow() -> Tally:
            tally, last = Tally(), False
            while not last:
                last = written.is_set()
                tally = books.tally(tally)
            return tally

        with ThreadPoolExecutor(1) as follower:
            followed = follower.submit(follow)
            try:
                list(pool.map(write, range(writers)))
            finally:
                written.set()
            assert followed.result().tokens == 7 * writers * lines


def test_books_are_read_where_nothing_may_be_written(place: str) -> None:
    with TrajectoryStore(place) as store:
        store.books("teacher").enter(LINE)
    with TrajectoryStore(place, read_only=True) as store:
        books: Books = store.books("teacher")
        assert (books.tally().tokens, books.answer("k")) == (7, None)
