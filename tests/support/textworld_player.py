"""Plays games in the benchmark's own engine; run as a script by a Python that has it (and need not have restep).

Reads JSON lines ``{"path", "commands"}`` from standard input and answers each with a line
``{"room", "observations", "won", "lost", "admissible", "plan"}``: the last is the number of commands in the engine's own
best plan from the start, when ``--plan`` is given, else null.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any


def play(path: str, commands: list[str], plan: bool) -> dict[str, Any]:
    textworld: Any = import_module("textworld")
    theirs: Any = import_module("alfworld.agents.environment.alfred_tw_env")
    wanted = textworld.EnvInfos(won=True, admissible_commands=True, policy_commands=plan)
    env = textworld.start(path, wanted, wrappers=[theirs.AlfredDemangler(), theirs.AlfredInfos])
    state = env.reset()
    answer: dict[str, Any] = {
        "room": state["feedback"],
        "observations": [],
        "won": [],
        "admissible": [sorted(state["admissible_commands"])],
        "plan": len(state["policy_commands"]) if plan else None,
    }
    for command in commands:
        state, _, _ = env.step(command)
        answer["observations"].append(state["feedback"])
        answer["won"].append(bool(state["won"]))
        answer["admissible"].append(sorted(state["admissible_commands"]))
    env.close()
    return answer


if __name__ == "__main__":
    planning = "--plan" in sys.argv  # asked once: the engine's translator changes sys.argv
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(play(asked["path"], asked["commands"], planning)) + "\n")
        sys.stdout.flush()
