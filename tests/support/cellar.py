"""A small, complete, deterministic text game as an Environment: the framework's own subject of test, no JVM needed.

Rooms in a row; a key lies in one of them and the door is in the first. Take the key (score 0.5), open the door (1).
Drinking is fatal (-1). ``Cellar.crash`` kills the engine under every live episode, as a dead process would.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.environment import EngineStep, Environment, Episode, EpisodeKey
from shared.errors import EngineLost, RestepError
from shared.protocol import EnvironmentInfo, ExpertAdvice, OptionInfo, SplitInfo, StepVerdict, TaskInfo
from tests.support.waiting import until

ROOMS = 5
SPLITS = {"train": range(12), "test": range(12, 16)}
WORDS = ("Water drips.", "A rat runs by.", "It is cold.", "The lamp flickers.")


class CellarEpisode(Episode):
    """One game. The seed chooses the noises, so that states of different seeds have different hashes."""

    def __init__(self, cellar: Cellar, key_room: int, seed: int, delay: str) -> None:
        self._cellar = cellar
        self._life = cellar.life
        self._seed = seed
        self._delay = delay
        self._turn = 0
        self.place = 0
        self.key_room = key_room
        self.has_key = False
        self.score = 0.0
        self.closed = False
        self._first = self._look()

    @property
    def goal(self) -> str:
        return "Find the key and open the door."

    @property
    def observation(self) -> str:
        return self._first

    async def step(self, action: str) -> EngineStep:
        self._check_alive()
        cellar = self._cellar
        cellar.executed.append(action)
        cellar.running += 1
        cellar.most_running = max(cellar.most_running, cellar.running)
        try:
            if action.startswith("wait"):
                await self._wait()
            if cellar.gate is not None:
                await cellar.gate.wait()
        finally:
            cellar.running -= 1
        self._check_alive()
        self._turn += 1
        return self._play(action)

    async def _wait(self) -> None:
        if self._delay.startswith("/"):
            await until(Path(self._delay).exists)
        elif float(self._delay):
            await asyncio.sleep(float(self._delay))

    def _play(self, action: str) -> EngineStep:
        done = success = False
        said, valid = "", True
        if action in ("go east", "go west"):
            self.place = max(0, min(ROOMS - 1, self.place + (1 if action == "go east" else -1)))
        elif action == "take key" and self.place == self.key_room and not self.has_key:
            self.has_key, self.score, said = True, 0.5, "Taken. "
        elif action == "open door" and self.place == 0 and self.has_key:
            self.score, done, success, said = 1.0, True, True, "The door opens. "
        elif action == "drink":
            self.score, done, said = -1.0, True, "It was poison. "
        elif action == "break engine":
            self._cellar.crash()
            raise EngineLost("broken from within")
        elif action == "trip over a bug":
            raise ZeroDivisionError("a secret of the server")
        elif not action.startswith("wait"):
            said, valid = "I do not understand that. ", False
        return EngineStep(said + self._look(), self.score, done, success, valid)

    async def admissible_actions(self) -> list[str]:
        self._check_alive()
        actions = ["go east", "go west", "wait", "drink"]
        if self.place == self.key_room and not self.has_key:
            actions.append("take key")
        if self.place == 0 and self.has_key:
            actions.append("open door")
        return actions

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._cellar.open_episodes -= 1

    def _look(self) -> str:
        noise = WORDS[(self._seed + self._turn) % len(WORDS)]
        key = " A key lies here." if self.place == self.key_room and not self.has_key else ""
        door = " The door is here." if self.place == 0 else ""
        return f"Room {self.place}.{door}{key} {noise}{self._cellar.salt}"

    def _check_alive(self) -> None:
        if self._life != self._cellar.life:
            raise EngineLost("the engine died")


class Cellar(Environment):
    """The environment. ``gate`` holds steps back, ``salt`` changes what is seen (a broken engine), ``losses`` resets fail."""

    def __init__(self) -> None:
        self.life = 0
        self.salt = ""
        self.gate: asyncio.Event | None = None
        self.executed: list[str] = []
        self.running = 0
        self.most_running = 0
        self.open_episodes = 0
        self.resets = 0
        self.expert_calls = 0
        self.losses = 0
        self.running_engine = False

    def crash(self) -> None:
        self.life += 1

    async def start(self) -> None:
        await asyncio.sleep(0)
        if missing := os.environ.get("CELLAR_DATA"):
            raise RestepError("data_not_found", f"no cellar at {missing}")
        self.running_engine = True

    async def stop(self) -> None:
        self.running_engine = False

    def info(self) -> EnvironmentInfo:
        return EnvironmentInfo(
            name="cellar",
            engine_version="1",
            data_version=hashlib.sha256(repr(SPLITS).encode()).hexdigest()[:16],
            splits=[SplitInfo(name=name, tasks=len(indices)) for name, indices in SPLITS.items()],
            task_types=["near", "far"],
            action_grammar=["go east", "go west", "take key", "open door", "drink", "wait"],
            instruction="You are in a cellar.",
            max_steps=20,
            options=[OptionInfo(name="delay", description="seconds that a wait takes, or the file it waits for", default="0")],
            capabilities=["admissible_actions", "expert"],
        )

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        if split is not None and split not in SPLITS:
            raise RestepError("unknown_split", f"no split {split!r}")
        found = [self._info(index) for name in ([split] if split else SPLITS) for index in SPLITS[name]]
        return [task for task in found if type in (None, task.type)]

    def task(self, task_id: str) -> TaskInfo:
        kind, _, index = task_id.partition("/")
        if kind != "cellar" or not index.isdigit() or int(index) not in range(16):
            raise RestepError("unknown_task", f"no task {task_id!r}")
        return self._info(int(index))

    def _info(self, index: int) -> TaskInfo:
        split = "train" if index in SPLITS["train"] else "test"
        return TaskInfo(id=f"cellar/{index}", split=split, type="near" if index % ROOMS < 2 else "far")

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> Episode:
        self.resets += 1
        if self.losses:
            self.losses -= 1
            raise EngineLost("died while loading")
        self.open_episodes += 1
        return CellarEpisode(self, int(self.task(task_id).id.split("/")[1]) % ROOMS, seed, options["delay"])

    async def expert(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        self.expert_calls += 1
        episode = CellarEpisode(self, int(key.task_id.split("/")[1]) % ROOMS, key.seed, "0")
        before: list[str] | None = None
        plan, done = self._plan(episode), False
        for action in key.actions:
            before = plan
            step = await episode.step(action)
            done = step.done
            plan = [] if done else self._plan(episode)
        verdict = None
        if before is not None:
            useful = (done and episode.score == 1.0) or len(plan) < len(before)
            verdict = StepVerdict(
                decision="useful" if useful else "fatal" if done else "needless",
                reason="the way became shorter" if useful else "the way did not become shorter",
                distance_before=len(before),
                distance_after=len(plan) if not done or episode.score == 1.0 else None,
            )
        reachable = not done and len(key.actions) + len(plan) <= max_steps
        return ExpertAdvice(seq=len(key.actions), actions=plan, thought="To the key.", reachable=reachable, verdict=verdict)

    @staticmethod
    def _plan(episode: CellarEpisode) -> list[str]:
        if episode.has_key:
            return ["go west"] * episode.place + ["open door"]
        way = episode.key_room - episode.place
        to_key = ["go east" if way > 0 else "go west"] * abs(way)
        return [*to_key, "take key", *["go west"] * episode.key_room, "open door"]

    def metrics(self) -> Mapping[str, float]:
        return {"open_episodes": float(self.open_episodes)}


def main(arguments: Sequence[str]) -> int:
    """Serve the cellar as a process: ``python tests/cellar.py PORT [TOKEN_FILE]``; RESTEP_* sets the rest."""
    from services.envserver.serve import run
    from shared.settings import EnvironmentSettings

    token_file = Path(arguments[1]) if len(arguments) > 1 else None
    return run(Cellar(), EnvironmentSettings(port=int(arguments[0]), token_file=token_file), service_name="cellar")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
