from __future__ import annotations

import random
from dataclasses import replace

from shared.react import parse_turn, system_prompt
from tests.support.plays import CARRYING, KITCHEN
from trainer.corpus import tell
from trainer.worlds.sciworld import SciworldPlays, SciworldWorld

WORLD = SciworldWorld(SciworldPlays())


def test_an_errand_in_which_nothing_succeeded_has_no_goal() -> None:
    failed = replace(CARRYING, steps=CARRYING.steps[:1])
    assert tell(failed, WORLD, random.Random(0)) is None


def test_a_play_is_told_as_at_inference_and_without_opening_open_doors() -> None:
    messages = tell(CARRYING, WORLD, random.Random(0))
    assert messages is not None
    assert messages[0].role == "system"
    assert messages[0].text == system_prompt(WORLD.instruction)
    assert messages[1].text.endswith("\n\n" + KITCHEN)
    turns = [parse_turn(message.text) for message in messages if message.role == "assistant"]
    assert [turn.error for turn in turns] == [None] * 5
    actions = [step.action for step in CARRYING.steps if step.observation != "The door is already open."]
    assert [turn.action for turn in turns] == actions
    assert [message.role for message in messages[2:]] == ["assistant", "user"] * 5


def test_an_experts_play_keeps_the_tasks_own_goal() -> None:
    expert = replace(CARRYING, kind="expert")
    messages = tell(expert, WORLD, random.Random(0))
    assert messages is not None
    assert messages[1].text.startswith("the task's own goal\n\n")
