"""Searches are made of the goal's own words and nothing else."""

from __future__ import annotations

import re

import pytest

from services.webshop.actions import parse_action
from services.webshop.goals import NO_LIMIT, Goal, Options
from services.webshop.queries import limit_text, option_text, option_value, searches
from services.webshop.world import World


def goal(text: str, attributes: tuple[str, ...], options: Options = ()) -> Goal:
    return Goal(0, text, attributes, options, NO_LIMIT, 1.0)


def test_the_first_search_is_the_goal_itself_and_the_others_leave_out_more() -> None:
    text = "Find me slim fit men's shirts with crew neck with color: navy, and size: xl, and price lower than 50.00 dollars"
    wanted = goal(text, ("slim fit", "crew neck"), (("color", "navy"), ("size", "xl")))
    assert searches(wanted, "men's shirts") == [
        "slim fit men's shirts with crew neck with color: navy, and size: xl",
        "slim fit men's shirts with crew neck",
        "men's shirts navy xl",
        "slim fit crew neck navy xl",
        "navy xl men's shirts slim fit crew neck",
    ]
    assert limit_text(wanted) == "50.00 dollars"


def test_what_the_goal_does_not_say_is_not_searched_for() -> None:
    wanted = goal("i need a woody deodorant that is 1.6 oz", ("cruelty free",), ("1.6 oz",))
    assert searches(wanted, "deodorants & antiperspirants") == ["i need a woody deodorant that is 1.6 oz", "1.6 oz"]
    assert limit_text(wanted) == ""


@pytest.mark.parametrize(("text", "words"), [("a [b] c", "a b c"), ("<r> a", "r a"), ("a\nb  c", "a b c")])
def test_a_search_can_be_typed(text: str, words: str) -> None:
    (made,) = searches(goal(text, ()), "none")
    assert made == words
    assert parse_action(f"search[{made}]") == ("search", made)


def test_options_read_as_the_goal_has_them() -> None:
    assert (option_text(("color", "navy")), option_value(("color", "navy"))) == ("color: navy", "navy")
    assert (option_text("navy"), option_value("navy")) == ("navy", "navy")


def test_every_word_of_every_search_stands_in_its_goal(embedded: World) -> None:
    for task in [*embedded.tasks.select("test")[::10], *embedded.tasks.select("human")]:
        wanted = embedded.tasks.goal(task.id)
        made = searches(wanted, embedded.shop.catalogue[wanted.product].query)
        said = re.findall(r"[^\s,.?]+", wanted.text)
        assert all(word in said for words in made for word in re.findall(r"[^\s,.?]+", words))
