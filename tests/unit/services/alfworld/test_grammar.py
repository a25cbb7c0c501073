"""The form of a text grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alfworld.grammar import (
    ActionText,
    Alternative,
    Expression,
    Literal,
    Mention,
    Rule,
    parse_grammar,
    parse_mentions,
    parse_symbols,
)
from shared.errors import RestepError

TEXT = '''
# a comment
grammar :: """
    # another
    { "greet": [ { "condition": "red(c:cup)", "rhs": "Red!" }, { "rhs": "Hello." } ] }
""";
action Put {
    template :: "put {c}";
    feedback :: "#put.feedback#";
    grammar :: """ { "put.feedback": [ { "rhs": "Done." } ], "greet": [ { "rhs": "Hi." } ] } """;
}
'''


def test_rules_and_actions_are_read_and_later_rules_replace_earlier() -> None:
    grammar = parse_grammar(TEXT)
    assert grammar.actions == {"put": ActionText("put {c}", "#put.feedback#")}
    assert grammar.rules == {"greet": (Alternative((), "Hi."),), "put.feedback": (Alternative((), "Done."),)}


def test_conditions() -> None:
    red = Mention("red", (("c", "cup"),))
    assert parse_mentions("red(c:cup) & on(c: cup, s : shelf)") == (red, Mention("on", (("c", "cup"), ("s", "shelf"))))
    assert parse_mentions("") == ()
    assert parse_mentions("red(cup)") == (Mention("red", (("cup", "cup"),)),)


def test_symbols() -> None:
    assert parse_symbols("  You see [{#a(o)# | red(c:cup)}], {c.name}#b#.\\nEnd ") == (
        Literal("You see "),
        Expression(Rule("a(o)"), (Mention("red", (("c", "cup"),)),), listed=True),
        Literal(", "),
        Expression("c.name", (), listed=False),
        Rule("b"),
        Literal(".\nEnd "),
    )


def test_blanks_and_comment_lines_at_the_beginning_are_dropped_there_only() -> None:
    assert parse_symbols("\n //x\n  y\n // z") == (Literal("y\n // z"),)


@given(st.text(st.characters(exclude_characters=';|"<>[]#{}\\/', exclude_categories=["C", "Z"]), min_size=1))
def test_plain_text_is_itself(text: str) -> None:
    assert parse_symbols(text) == (Literal(text),)


@pytest.mark.parametrize("text", ["a ; b", "[c]", "{c", "a } b", "#a", "{c | red(}", "<"])
def test_symbols_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(RestepError) as failure:
        parse_symbols(text)
    assert failure.value.code == "data_corrupt"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("action Put", "verb Put"),
        ('feedback :: "#put.feedback#";', ""),
        ("template ::", "pattern ::"),
        ('"rhs": "Hello."', '"text": "Hello."'),
        ('"rhs": "Done."', '"rhs": Done'),
        ("red(c:cup)", "red c"),
        ("}\n", ""),
        ("action Put {", "action Put { §"),
    ],
)
def test_grammars_that_are_not_understood_are_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(RestepError) as failure:
        parse_grammar(TEXT.replace(old, new))
    assert failure.value.code == "data_corrupt"
