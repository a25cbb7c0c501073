"""An errand in ScienceWorld, and plays of a world as pre-training collects them."""

from __future__ import annotations

import random

from shared.environment import Environment
from trainer.play import Play, PlayStep
from trainer.plays import play_one, tasks_by_type
from trainer.worlds.world import World

KITCHEN = (
    "This room is called the kitchen. In it, you see: \n\tthe agent\n\ta substance called air\n"
    "\ta counter. On the counter is: a bowl (containing a red apple, a banana), a drawer.\n"
    "\ta glass jar (containing a substance called sodium chloride)\n\ta green box (containing nothing)\n"
    "\ta sink, which is turned off. In the sink is: nothing.\nYou also see:\n"
    "\tA door to the bathroom (that is closed)\n\tA door to the hallway (that is open)"
)
CARRYING = Play(
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


async def some_plays(world: World, environment: Environment, count: int) -> list[Play]:
    """The first plays of a seed, without those in which nothing was done."""
    tasks = tasks_by_type(environment.tasks(world.split))
    found = [await play_one(world, environment, tasks, random.Random(f"1/{number}")) for number in range(count)]
    return [play for play in found if play is not None]
