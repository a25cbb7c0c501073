"""The other end of :mod:`services.alfworld.original`: the original engine in a process of its own.

Imports nothing of ours, because it may run in another virtual environment. Reads one JSON request a line from standard
input and answers each with one line. The engine is single-threaded and so is this; several episodes may be open at a
time, each in an environment that is used again when the episode ends, because making one leaks.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any


def main() -> int:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the engine prints must not be taken for an answer
    try:
        play = Play()
    except ImportError as error:
        answers.write(json.dumps({"missing": str(error)}) + "\n")
        return 1
    answers.write(json.dumps({"ready": play.version}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = play.answer(request)
        except Exception as error:  # noqa: BLE001 - the caller decides what to make of it
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
    return 0


class Play:
    """The environments of this process, by the number of their episode, and those at rest."""

    def __init__(self) -> None:
        textworld: Any = import_module("textworld")
        pddl: Any = import_module("textworld.envs.pddl")
        alfred: Any = import_module("alfworld.agents.environment.alfred_tw_env")

        def make() -> Any:
            infos = textworld.EnvInfos(won=True, admissible_commands=True)
            return alfred.AlfredInfos(alfred.AlfredDemangler(pddl.PddlEnv(infos)))

        self.version = f"textworld {version('textworld')}, alfworld {version('alfworld')}"
        self._make = make
        self._live: dict[int, Any] = {}
        self._resting: list[Any] = []

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin, step or end an episode."""
        number = request["episode"]
        if request["do"] == "end":
            env = self._live.pop(number, None)
            if env is not None:
                self._resting.append(env)
            return {}
        if request["do"] == "begin":
            env = self._resting.pop() if self._resting else self._make()
            env.load(request["game"])
            state = env.reset()
            self._live[number] = env
        else:
            state, _, _ = self._live[number].step(request["command"])
        return {
            "text": state["feedback"],
            "won": bool(state["won"]),
            "admissible": list(state["admissible_commands"]),
            "valid": state["_last_action"] is not None,
        }


if __name__ == "__main__":
    sys.exit(main())
