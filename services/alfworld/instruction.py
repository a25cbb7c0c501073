"""What an agent is told about ALFWorld: the commands of its games, in the order of their own help text."""

from __future__ import annotations

from typing import Final

ACTION_GRAMMAR: Final = (
    "look",
    "inventory",
    "go to RECEP",
    "open RECEP",
    "close RECEP",
    "take OBJ from RECEP",
    "move OBJ to RECEP",
    "examine SOMETHING",
    "use OBJ",
    "heat OBJ with RECEP",
    "clean OBJ with RECEP",
    "cool OBJ with RECEP",
    "slice OBJ with OBJ",
    "help",
)

INSTRUCTION: Final = (
    "You are in a room of a house. Act to complete the task. OBJ is an object and RECEP a receptacle or appliance, both "
    "with their numbers as you see them (desk 1). You hold one object at most, and reach only what is where you are.\n"
    "Actions: " + ", ".join(ACTION_GRAMMAR) + ".\n"
    "With the option action_style=old, 'move OBJ to RECEP' is 'put OBJ in/on RECEP' and there is no 'help'."
)
