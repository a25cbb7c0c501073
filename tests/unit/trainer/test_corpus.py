from __future__ import annotations

import random

import pytest

from services.sciworld.instruction import INSTRUCTION
from services.sciworld.thoughts import thought
from shared.react import parse_turn, system_prompt
from trainer.corpus import Play, PlayStep, copying, doing, errand_goal, listed_names, tell

KITCHEN = (
    "This room is called the kitchen. In it, you see: \n\tthe agent\n\ta substance called air\n"
    "\ta counter. On the counter is: a bowl (containing a red apple, a banana), a drawer.\n"
    "\ta glass jar (containing a substance called sodium chloride)\n\ta green box (containing nothing)\n"
    "\ta sink, which is turned off. In the sink is: nothing.\nYou also see:\n"
    "\tA door to the bathroom (that is closed)\n\tA door to the hallway (that is open)"
)


def carrying() -> Play:
    return Play(
        "errand",
        "find-plant",
        3,
        "easy",
        "the task's own goal",
        KITCHEN,
        (
            PlayStep("pick up drawer", "You can't pick up the drawer.", ("pick", "drawer")),
            PlayStep("pick up banana", "You move the banana to the inventory.", ("pick", "banana")),
            PlayStep("open door to hallway", "The door is already open.", ("open", "hallway", "hallway")),
            PlayStep("go to hallway", "You move to the hallway.", ("go", "hallway", "hallway")),
            PlayStep("look around", "This room is called the hallway. In it, you see: \n\tthe agent", ("look", "hallway")),
            PlayStep("move banana to red box", "You move the banana to the red box.", ("move", "banana", "red box")),
        ),
    )


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
    goal = errand_goal(carrying(), random.Random(seed))
    assert goal is not None
    assert "red box" in goal
    assert "hallway" in goal
    assert "drawer" not in goal
    assert "own goal" not in goal


def test_an_errand_in_which_nothing_succeeded_has_no_goal() -> None:
    play = carrying()
    failed = Play(play.kind, play.task, 3, "", play.goal, play.look, play.steps[:1])
    assert errand_goal(failed, random.Random(0)) is None
    assert tell(failed, INSTRUCTION, thought, random.Random(0)) is None


def test_a_play_is_told_as_at_inference_and_without_opening_open_doors() -> None:
    messages = tell(carrying(), INSTRUCTION, thought, random.Random(0))
    assert messages is not None
    assert messages[0].role == "system"
    assert messages[0].text == system_prompt(INSTRUCTION)
    assert messages[1].text.endswith("\n\n" + KITCHEN)
    turns = [parse_turn(message.text) for message in messages if message.role == "assistant"]
    assert [turn.error for turn in turns] == [None] * 5
    actions = [step.action for step in carrying().steps if step.observation != "The door is already open."]
    assert [turn.action for turn in turns] == actions
    assert [message.role for message in messages[2:]] == ["assistant", "user"] * 5


def test_an_experts_play_keeps_the_tasks_own_goal() -> None:
    play = carrying()
    expert = Play("expert", play.task, 3, "", play.goal, play.look, play.steps)
    messages = tell(expert, INSTRUCTION, thought, random.Random(0))
    assert messages is not None
    assert messages[1].text.startswith("the task's own goal\n\n")


def test_a_play_survives_being_stored() -> None:
    assert Play.from_row(carrying().to_row()) == carrying()


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
