"""Seeing before naming."""

from __future__ import annotations

import pytest

from services.sciworld.plan import Deed, actions_of
from services.sciworld.sight import Sight, View, named, shows, with_looks, without_looks

OUTSIDE = (
    "This outside location is called the outside. Here you see: \n\tthe agent\n\ta turtle egg\n\ta baby brown bear\n"
    "\ta flower pot 8 (containing a cherry tree in the adult stage, soil)\n\ta wood cup (containing blue paint)\n"
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("egg turtle", True),
        ("baby baby brown bear", True),
        ("adult cherry tree", True),
        ("cup containing blue paint", True),
        ("turtle bear", False),
        ("apple tree", False),
    ],
)
def test_a_name_is_shown_when_one_clause_has_its_words(name: str, shown: bool) -> None:
    assert shows(OUTSIDE, name) is shown
    assert Sight(["nothing here", OUTSIDE]).knows(name) is shown


def test_names_are_of_things_not_of_places_contacts_or_menus() -> None:
    assert named("use thermometer in inventory on ice") == ["thermometer", "ice"]
    assert named("connect battery anode to blue wire terminal 1") == ["battery", "blue wire"]
    assert named("connect red wire terminal 2 to anode in light bulb") == ["red wire", "light bulb"]
    assert named("3") == []


def test_a_plan_looks_once_where_the_look_shows_what_comes() -> None:
    plan = (
        Deed("open door to outside", "kitchen"),
        Deed("go to outside", "kitchen"),
        Deed("focus on egg turtle", "outside"),
        Deed("focus on baby baby brown bear", "outside"),
        Deed("move turtle to shelf", "outside"),
    )
    views = [View("a kitchen", "The door is now open."), View("a kitchen", "You move."), *[View(OUTSIDE, "ok")] * 3]
    looking = with_looks(plan, views, "A door to the outside (that is closed)")
    assert actions_of(looking) == [*actions_of(plan[:2]), "look around", *actions_of(plan[2:])]
    assert looking[2].room == "outside"
    assert without_looks(looking) == plan


def test_what_was_shown_at_the_start_needs_no_look() -> None:
    plan = (Deed("focus on egg turtle", "outside"),)
    assert with_looks(plan, [View(OUTSIDE, "ok")], OUTSIDE) == plan
