from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from trainer.teacher.ledger import Ledger, Purpose, Spending
from trainer.teacher.options import Budget, Prices

JUDGE, REPAIR = Purpose("reflected/house", "judge"), Purpose("reflected/shop", "repair")


def test_what_was_spent_is_summed_by_collection_and_in_all(tmp_path: Path) -> None:
    with Ledger(tmp_path / "books.db", prices=Prices(prompt=1.0, completion=10.0)) as ledger:
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


def test_a_budget_holds_over_restarts_and_may_be_raised(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "books.db"
    with Ledger(path, Budget(tokens=1000)) as ledger:
        ledger.check()
        ledger.answered(JUDGE, 900, 100)
    with (
        Ledger(path, Budget(tokens=1000)) as ledger,
        pytest.raises(RestepError, match=r"1,000 of 1,000 tokens.*budget\.tokens"),
    ):
        ledger.check()
    with Ledger(path, Budget(tokens=1001)) as ledger:
        ledger.check()


def test_a_budget_holds_over_processes_that_share_the_books(tmp_path: Path) -> None:
    budget = Budget(tokens=1000)
    with Ledger(tmp_path / "books.db", budget) as one, Ledger(tmp_path / "books.db", budget) as two:
        one.answered(JUDGE, 500, 0)
        two.answered(JUDGE, 0, 499)
        one.check()
        two.answered(JUDGE, 1, 0)
        for ledger in (one, two):
            with pytest.raises(RestepError, match=r"1,000 of 1,000 tokens"):
                ledger.check()


def test_a_budget_may_be_money(tmp_path: Path) -> None:
    with Ledger(tmp_path / "books.db", Budget(cost=1.0), Prices(prompt=1.0, completion=2.0)) as ledger:
        ledger.answered(JUDGE, 0, 499_999)
        ledger.check()
        ledger.answered(JUDGE, 2, 0)
        with pytest.raises(RestepError, match="budget_exhausted"):
            ledger.check()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    path.write_text("this is no database, and long enough to be seen as none by whoever looks at the header")
    with pytest.raises(RestepError, match=f"store_failed: {path}"):
        Ledger(path)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=12))
def test_the_books_add_up(tmp_path_factory: pytest.TempPathFactory, answers: list[tuple[int, int]]) -> None:
    path = tmp_path_factory.mktemp("books") / "books.db"
    with Ledger(path) as ledger:
        for prompt, completion in answers:
            ledger.answered(JUDGE, prompt, completion)
    with Ledger(path) as again:
        spent = again.spending()
    assert (spent.requests, spent.tokens) == (len(answers), sum(map(sum, answers)))
