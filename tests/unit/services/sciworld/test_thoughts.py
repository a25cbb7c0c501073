"""Thoughts: names verbatim, the sub-goal found by looking ahead, every action of the grammar covered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sciworld.instruction import ACTION_GRAMMAR
from services.sciworld.thoughts import MAX_WORDS, parse_action, thought

WALK = ["open door to hallway", "go to hallway", "open door to greenhouse", "go to greenhouse", "look around"]


def test_a_door_names_the_end_of_the_walk_and_what_is_done_there() -> None:
    said = thought([*WALK, "focus on adult bee"])
    assert said == "I need the greenhouse to focus on the adult bee. The door to the hallway comes first, so I open it."


def test_walking_through_and_arriving_are_told_apart() -> None:
    assert "leads through the hallway" in thought([*WALK[1:], "focus on adult bee"])
    assert "next place" in thought([*WALK[3:], "focus on adult bee"])


def test_a_pick_up_names_the_later_use() -> None:
    said = thought(["pick up thermometer", "look around", "open freezer", "use thermometer in inventory on ice"])
    assert said == "I need the thermometer to use the thermometer in inventory on the ice, so I pick it up."


def test_activating_looks_past_switching_it_off_again() -> None:
    assert "pick up the metal pot" in thought(["activate sink", "deactivate sink", "pick up metal pot"])


def test_an_answer_to_a_menu_is_explained() -> None:
    assert "number 3 " in thought(["3", "wait1"])


def test_nothing_to_do_needs_no_thought() -> None:
    assert thought([]) == ""


@pytest.mark.parametrize("template", ACTION_GRAMMAR)
def test_every_action_of_the_grammar_has_a_thought_of_its_own(template: str) -> None:
    action = template.replace("OBJ", "tin cup", 1).replace("OBJ", "red box").replace("LOC", "art studio")
    parsed = parse_action(action)
    assert parsed.verb
    said = thought([action])
    assert all(name in said for name in parsed.names)
    assert 8 <= len(said.split()) <= MAX_WORDS
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("action", "verb"),
    [("drop light", "put down"), ("examine ice", "examine"), ("wait1", "wait"), ("open door to hallway", "open door")],
)
def test_synonyms_of_the_simulator_are_read(action: str, verb: str) -> None:
    assert parse_action(action).verb == verb


_name = st.lists(st.sampled_from(["cup", "seed", "7", "orange", "wire", "terminal", "1"]), min_size=1, max_size=4).map(" ".join)
_action = st.one_of(
    _name.map("pick up {}".format),
    _name.map("open {}".format),
    _name.map("focus on {}".format),
    st.sampled_from(["look around", "wait1", "0", "inventory", "gibberish text"]),
    st.tuples(_name, _name).map(lambda pair: f"move {pair[0]} to {pair[1]}"),
    st.sampled_from(["hallway", "art studio"]).map("go to {}".format),
)


@given(st.lists(_action, min_size=1, max_size=8))
def test_any_plan_gets_one_short_sentence_naming_its_first_action(plan: list[str]) -> None:
    said = thought(plan)
    assert len(said.split()) <= MAX_WORDS
    assert said.endswith(".")
    assert all(name in said for name in parse_action(plan[0]).names)
