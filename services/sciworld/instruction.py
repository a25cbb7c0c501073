"""What an agent is told about ScienceWorld: the action grammar of the simulator, in the order of its own help text."""

from __future__ import annotations

from typing import Final

ACTION_GRAMMAR: Final = (
    "open OBJ",
    "close OBJ",
    "activate OBJ",
    "deactivate OBJ",
    "connect OBJ to OBJ",
    "disconnect OBJ",
    "use OBJ on OBJ",
    "look around",
    "look at OBJ",
    "look in OBJ",
    "read OBJ",
    "move OBJ to OBJ",
    "pick up OBJ",
    "put down OBJ",
    "pour OBJ into OBJ",
    "dunk OBJ into OBJ",
    "mix OBJ",
    "go to LOC",
    "teleport to LOC",
    "eat OBJ",
    "flush OBJ",
    "focus on OBJ",
    "wait",
    "wait1",
    "inventory",
)

INSTRUCTION: Final = (
    "You are in a house with a laboratory. Act to complete the task. OBJ is an object you see, LOC a place.\nActions: "
    + ", ".join(ACTION_GRAMMAR)
    + "."
)
