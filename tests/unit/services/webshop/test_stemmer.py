"""The stemmer follows Porter's paper and the two suffixes that Lucene changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.stemmer import stem

# The examples of Porter's paper, step by step, through all steps.
PAPER = """
caresses caress  ponies poni  ties ti  caress caress  cats cat  feed feed  agreed agre  plastered plaster  bled bled
motoring motor  sing sing  conflated conflat  troubled troubl  sized size  hopping hop  tanned tan  falling fall
hissing hiss  fizzed fizz  failing fail  filing file  happy happi  sky sky  relational relat  conditional condit
rational ration  valenci valenc  hesitanci hesit  digitizer digit  radicalli radic  differentli differ  vileli vile
analogousli analog  vietnamization vietnam  predication predic  operator oper  feudalism feudal  decisiveness decis
hopefulness hope  callousness callous  formaliti formal  sensitiviti sensit  sensibiliti sensibl  triplicate triplic
formative form  formalize formal  electriciti electr  electrical electr  hopeful hope  goodness good  revival reviv
allowance allow  inference infer  airliner airlin  gyroscopic gyroscop  adjustable adjust  defensible defens
irritant irrit  replacement replac  adjustment adjust  dependent depend  adoption adopt  homologou homolog
communism commun  activate activ  angulariti angular  homologous homolog  effective effect  bowdlerize bowdler
probate probat  rate rate  cease ceas  controll control  roll roll
"""
LUCENE = """
possibly possibl  apology apolog  s s  us us  is is  as as  y y  ion ion  ied i  ing ing  ies i  sses ss  eed eed
yes ye  yyy yyi  toys toi  say sai  enjoying enjoi  dyed dy  naïve naïv  ωs ωs  36s 36  ment ment
"""


def pairs(written: str) -> list[tuple[str, str]]:
    words = written.split()
    return list(zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize(("word", "expected"), pairs(PAPER))
def test_examples_of_the_paper(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.parametrize(("word", "expected"), pairs(LUCENE))
def test_words_where_stemmers_differ(word: str, expected: str) -> None:
    assert stem(word) == expected


@given(st.text())
def test_a_stem_is_never_longer_nor_empty(word: str) -> None:
    assert len(stem(word)) <= len(word)
    assert bool(stem(word)) is bool(word)


@given(st.from_regex(r"[a-z]{3,12}", fullmatch=True), st.sampled_from(["", "s"]))
def test_a_stem_begins_as_its_word(word: str, ending: str) -> None:
    stemmed = stem(word + ending)
    assert word.startswith(stemmed[:-2])
