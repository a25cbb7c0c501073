"""Play told as ReAct dialogues: the text to pre-train on.

A small model learns the format in minutes and to copy names out of its context late (that is what the tasks consist
of), so most of the text states a goal made in hindsight from what was really done. What is particular to an
environment is in :mod:`trainer.worlds`. Errors stay in for their repairs, and are not themselves learned.
"""

from __future__ import annotations

import random
from typing import Final

from trainer.dialogue import Message, Turn, dialogue
from trainer.play import Play
from trainer.worlds.world import World

_AGAIN: Final = ("That did not work.", "That was a mistake.", "Nothing came of that.", "This is not possible here.")


def tell(play: Play, world: World, rng: random.Random) -> list[Message] | None:
    """A play as a dialogue; None when there is nothing to tell."""
    steps = world.kept(play)
    goal = _goal(play, world, rng)
    if goal is None or not steps:
        return None
    turns: list[Turn] = []
    for position, step in enumerate(steps):
        thought = world.thought(steps[position:])
        if position and world.failed(steps[position - 1]) and rng.random() < 0.7:
            instead = f" I should {step.action} instead." if rng.random() < 0.4 else ""
            thought = f"{rng.choice(_AGAIN)}{instead} {thought}"
        turns.append(Turn(thought, step.action, world.shown(step.observation, play, goal), learned=not world.failed(step)))
    return dialogue(world.instruction, goal, world.shown(play.look, play, goal), turns)


def _goal(play: Play, world: World, rng: random.Random) -> str | None:
    if play.kind == "expert":
        return play.goal
    return world.goal(play, rng) if play.kind == "errand" else _listing(play, world, rng)


def _listing(play: Play, world: World, rng: random.Random) -> str:
    """A statement that lists what is then done: dense copying of whole actions."""
    wanted = [step.action for step in play.steps if step.purpose == ("valid",) and not world.failed(step)]
    actions = wanted or [play.steps[0].action]
    if rng.random() < 0.5:
        return "Your task is to do this: " + ", ".join(actions) + "."
    return "Your task is to " + ", then ".join(actions) + "."
