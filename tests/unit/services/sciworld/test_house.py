"""The map and the ways on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sciworld.house import ROOMS, Doors, Surroundings, route

_rooms = st.sampled_from(sorted(ROOMS))
_door_states = st.dictionaries(
    st.sampled_from([frozenset((room, place)) for room, places in ROOMS.items() for place in places]), st.booleans()
)


def test_every_door_leads_both_ways() -> None:
    assert all(room in ROOMS[place] for room, places in ROOMS.items() for place in places)


def test_a_look_tells_room_and_doors() -> None:
    look = (
        "This room is called the kitchen. In it, you see: \n\tthe agent\nYou also see:\n"
        "\tA door to the bathroom (that is closed)\n\tA door to the hallway (that is open)\n"
    )
    here = Surroundings.read(look)
    assert here.room == "kitchen"
    assert here.doors == {"bathroom": False, "hallway": True}


def test_outside_is_a_room_too() -> None:
    assert Surroundings.read("This outside location is called the outside. Here you see:  \n\tthe agent").room == "outside"


def test_closed_doors_are_opened_and_open_ones_preferred() -> None:
    assert route("kitchen", "greenhouse", {}) == [
        "open door to hallway",
        "go to hallway",
        "open door to greenhouse",
        "go to greenhouse",
    ]
    opened: Doors = {frozenset(("kitchen", "outside")): True, frozenset(("outside", "greenhouse")): True}
    assert route("kitchen", "greenhouse", opened) == ["go to outside", "go to greenhouse"]


def test_teleporting_is_one_action() -> None:
    assert route("workshop", "foundry", {}, teleport=True) == ["teleport to foundry"]


@pytest.mark.parametrize(("start", "goal"), [("kitchen", "kitchen"), ("kitchen", "moon"), ("", "kitchen")])
def test_no_way_to_where_one_is_or_to_nowhere(start: str, goal: str) -> None:
    assert route(start, goal, {}) == []


@given(_rooms, _rooms, _door_states)
def test_a_route_walks_through_open_doors_to_its_end(start: str, goal: str, doors: Doors) -> None:
    room, standing = start, dict(doors)
    for action in route(start, goal, doors):
        verb, place = action.rsplit(" to ", 1)
        assert place in ROOMS[room]
        if verb == "open door":
            assert not standing.get(frozenset((room, place)))
            standing[frozenset((room, place))] = True
        else:
            assert standing[frozenset((room, place))]
            room = place
    assert room == goal
