from __future__ import annotations

import random

import pytest

from services.sciworld.house import ROOMS
from services.sciworld.instruction import INSTRUCTION
from services.sciworld.tasks import VARIATIONS
from services.sciworld.thoughts import thought
from tests.support.plays import CARRYING, KITCHEN
from trainer.worlds.sciworld import SciworldPlays, SciworldWorld
from trainer.worlds.sciworld_exercises import copying, doing
from trainer.worlds.sciworld_look import listed_names
from trainer.worlds.sciworld_walk import room_of, way

WORLD = SciworldWorld(SciworldPlays())


def test_names_are_what_a_look_lists_without_doors_and_fillers() -> None:
    assert listed_names(KITCHEN) == [
        "counter",
        "bowl",
        "red apple",
        "banana",
        "drawer",
        "glass jar",
        "sodium chloride",
        "green box",
        "sink",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_an_errands_goal_names_what_succeeded_and_not_what_failed(seed: int) -> None:
    goal = WORLD.goal(CARRYING, random.Random(seed))
    assert goal is not None
    assert "red box" in goal
    assert "hallway" in goal
    assert "drawer" not in goal
    assert "own goal" not in goal


@pytest.mark.parametrize("seed", range(30))
def test_exercises_only_ask_for_names_that_stand_in_the_context(seed: int) -> None:
    names, places = (
        ["red box", "banana", "wolf", "axe", "jug", "lighter", *(f"cup {i}" for i in range(8))],
        ["kitchen", "workshop", "bathroom", "hallway"],
    )
    for messages in (
        copying(names, places, thought, random.Random(seed)),
        doing(KITCHEN, INSTRUCTION, thought, random.Random(seed)),
    ):
        assert messages is not None
        before = ""
        for message in messages:
            if message.role == "assistant":
                said = [name for name in [*names, *places, *listed_names(KITCHEN)] if f" {name}" in message.text]
                assert said
                assert all(name in before for name in said)
            before += message.text


def test_a_room_without_things_gives_no_exercise() -> None:
    look = "This room is called the hallway. In it, you see: \n\tthe agent"
    assert doing(look, INSTRUCTION, thought, random.Random(0)) is None


def test_the_way_leads_through_doors() -> None:
    assert way(ROOMS, "workshop", "foundry") in (
        ["hallway", "kitchen", "outside", "foundry"],
        ["hallway", "greenhouse", "outside", "foundry"],
    )
    assert way(ROOMS, "kitchen", "kitchen") == []
    assert way(ROOMS, "kitchen", "cellar") == []


def test_a_room_is_read_from_a_look() -> None:
    assert room_of("This outside location is called the outside. Here you see:") == "outside"
    assert room_of("The door is closed.") == ""


def test_which_tasks_an_expert_play_takes_leaves_out_what_is_taught_later_and_what_takes_too_long() -> None:
    unseen = SciworldPlays().unseen
    assert [name for name in VARIATIONS if name.startswith(unseen)] == [
        "find-living-thing",
        "find-non-living-thing",
        "find-plant",
        "find-animal",
        "lifespan-longest-lived",
        "lifespan-shortest-lived",
        "lifespan-longest-lived-then-shortest-lived",
        "mendelian-genetics-known-plant",
        "mendelian-genetics-unknown-plant",
    ]
