"""Terms are stems of the words that count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webshop.analysis import STOP_WORDS, Analyzer


def terms(text: str) -> list[str]:
    return list(Analyzer().terms(text))


def test_stop_words_possessives_and_case_go() -> None:
    assert terms("The Women's SHOES and the men\u2019s, for \uff49\uff47's") == ["women", "shoe", "men", "\uff49\uff47"]
    assert terms("It's this: THAT's") == []
    assert len(STOP_WORDS) == 33


def test_terms_repeat_as_the_words_do() -> None:
    assert terms("boots boot booting") == ["boot", "boot", "boot"]


@given(st.lists(st.text()))
def test_what_was_met_before_changes_nothing(texts: list[str]) -> None:
    analyzer = Analyzer()
    assert [list(analyzer.terms(text)) for text in texts] == [terms(text) for text in texts]
