from __future__ import annotations

import random
from dataclasses import replace

from shared.react import parse_turn, system_prompt
from trainer.corpus import tell
from trainer.play import Play, PlayStep
from trainer.worlds.sciworld import SciworldPlays, SciworldWorld

KITCHEN = (
    "This room is called the kitchen. In it, you see: \n\tthe agent\n\ta substance called air\n"
    "\ta counter. On the counter is: a bowl (containing a red apple, a banana), a drawer.\n"
    "\ta glass jar (containing a substance called sodium chloride)\n\ta green box (containing nothing)\n"
    "\ta sink, which is turned off. In the sink is: nothing.\nYou also see:\n"
    "\tA door to the bathroom (that is closed)\n\tA door to the hallway (that is open)"
)


WORLD = SciworldWorld(SciworldPlays())


def carrying() -> Play:
    return Play(
        "errand",
        "find-plant/3",
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


def test_an_errand_in_which_nothing_succeeded_has_no_goal() -> None:
    play = carrying()
    failed = replace(play, steps=play.steps[:1])
    assert tell(failed, WORLD, random.Random(0)) is None


def test_a_play_is_told_as_at_inference_and_without_opening_open_doors() -> None:
    messages = tell(carrying(), WORLD, random.Random(0))
    assert messages is not None
    assert messages[0].role == "system"
    assert messages[0].text == system_prompt(WORLD.instruction)
    assert messages[1].text.endswith("\n\n" + KITCHEN)
    turns = [parse_turn(message.text) for message in messages if message.role == "assistant"]
    assert [turn.error for turn in turns] == [None] * 5
    actions = [step.action for step in carrying().steps if step.observation != "The door is already open."]
    assert [turn.action for turn in turns] == actions
    assert [message.role for message in messages[2:]] == ["assistant", "user"] * 5


def test_an_experts_play_keeps_the_tasks_own_goal() -> None:
    expert = replace(carrying(), kind="expert")
    messages = tell(expert, WORLD, random.Random(0))
    assert messages is not None
    assert messages[1].text.startswith("the task's own goal\n\n")
