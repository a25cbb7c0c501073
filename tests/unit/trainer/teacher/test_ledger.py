from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from shared.store import Books, TrajectoryStore
from trainer.teacher.ledger import Ledger, Purpose, Spending
from trainer.teacher.options import Budget, Prices

JUDGE, REPAIR = Purpose("reflected/house", "judge"), Purpose("reflected/shop", "repair")


@pytest.fixture
def books(place: str) -> Iterator[Books]:
    with TrajectoryStore(place) as store:
        yield store.books("teacher")


@pytest.fixture(scope="module")
def empty_books(new_place: Callable[[], str]) -> Iterator[Callable[[], tuple[Books, Books]]]:
    """Opens the same new books twice, as two processes have them; for every example of hypothesis others."""
    place, numbers = new_place(), count()
    with TrajectoryStore(place) as one, TrajectoryStore(place) as two:

        def opened() -> tuple[Books, Books]:
            name = str(next(numbers))
            return one.books(name), two.books(name)

        yield opened


def exhausted(ledger: Ledger) -> bool:
    try:
        ledger.check()
    except RestepError as error:
        return error.code == "budget_exhausted"
    return False


def test_what_was_spent_is_summed_by_collection_and_in_all(books: Books) -> None:
    ledger = Ledger(books, prices=Prices(prompt=1.0, completion=10.0))
    ledger.answered(JUDGE, 1000, 100)
    ledger.answered(REPAIR, 500, 50)
    ledger.note(JUDGE, "unanswered", "over_capacity")
    ledger.note(JUDGE, "cached")
    ledger.note(JUDGE, "malformed")
    ledger.note(JUDGE, "failed", "malformed_answer")
    ledger.note(JUDGE, "failed", "timeout")
    assert ledger.spending("reflected/house") == Spending(
        requests=2,
        unanswered=1,
        cache_hits=1,
        malformed=1,
        failures={"malformed_answer": 1, "timeout": 1},
        prompt_tokens=1000,
        completion_tokens=100,
        cost=0.002,
    )
    assert ledger.spending("reflected/shop").tokens == 550
    assert ledger.spending().tokens == 1650
    assert ledger.spending("elsewhere") == Spending()


def test_a_budget_holds_over_restarts_and_may_be_raised(place: str) -> None:
    with TrajectoryStore(place) as store:
        ledger = Ledger(store.books("teacher"), Budget(tokens=1000))
        ledger.check()
        ledger.answered(JUDGE, 900, 100)
    with TrajectoryStore(place) as store:
        with pytest.raises(RestepError, match=r"1,000 of 1,000 tokens.*budget\.tokens"):
            Ledger(store.books("teacher"), Budget(tokens=1000)).check()
        Ledger(store.books("teacher"), Budget(tokens=1001)).check()
        Ledger(store.books("golden"), Budget(tokens=1)).check()


def test_a_budget_may_be_money(books: Books) -> None:
    ledger = Ledger(books, Budget(cost=1.0), Prices(prompt=1.0, completion=2.0))
    ledger.answered(JUDGE, 0, 499_999)
    assert not exhausted(ledger)
    ledger.answered(JUDGE, 2, 0)
    assert exhausted(ledger)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=12), st.integers(1, 10**7))
def test_whoever_books_and_in_whatever_order_each_sees_the_sum(
    empty_books: Callable[[], tuple[Books, Books]], answers: list[tuple[bool, int, int]], budget: int
) -> None:
    both = [Ledger(one, Budget(tokens=budget)) for one in empty_books()]
    spent = 0
    for whose, prompt, completion in answers:
        both[whose].answered(JUDGE, prompt, completion)
        both[not whose].note(JUDGE, "malformed")
        spent += prompt + completion
        assert [exhausted(ledger) for ledger in both] == [spent >= budget] * 2
    for ledger in both:
        found = ledger.spending()
        assert (found.requests, found.malformed, found.tokens) == (len(answers), len(answers), spent)
