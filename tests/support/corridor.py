"""A world small enough to know every answer: a corridor of rooms with a lamp at its end, and an exact expert.

Rooms are numbered from 0, where the agent stands; the task ``<type>/<n>`` is to take the lamp from room ``n``. Smashing
the lamp ends the episode at score -1; ``wedge door`` ruins the task without ending it; moving on is worth a share of
the score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from shared.environment import EngineStep, Environment, Episode, EpisodeKey
from shared.errors import RestepError
from shared.protocol import Decision, EnvironmentInfo, ExpertAdvice, SplitInfo, StepVerdict, TaskInfo

TYPES = ("lamp", "lantern")
SIZES = range(1, 9)
MAX_STEPS = 12


class Corridor:
    """The state of one game."""

    def __init__(self, last: int) -> None:
        self.last, self.here, self.best, self.taken, self.smashed, self.wedged = last, 0, 0, False, False, False

    @property
    def score(self) -> float:
        return -1.0 if self.smashed else 1.0 if self.taken else self.best / (self.last + 1)

    @property
    def distance(self) -> int | None:
        """Actions left to the goal; None when it is out of reach."""
        if self.smashed or (self.wedged and not self.taken):
            return None
        return 0 if self.taken else self.last - self.here + 1

    def plan(self) -> list[str]:
        if not self.distance:
            return []
        return [*(f"go to room {room}" for room in range(self.here + 1, self.last + 1)), "take lamp"]

    def act(self, action: str) -> tuple[str, bool]:
        """Observation, and whether the action was understood."""
        move = re.fullmatch(r"go to room (\d+)", action)
        if move and abs(int(move[1]) - self.here) == 1 and int(move[1]) <= self.last and not self.wedged:
            self.here = int(move[1])
            self.best = max(self.best, self.here)
            return f"You are in room {self.here}." + (" There is a lamp." if self.here == self.last else ""), True
        if move:
            return "There is no way.", True
        if action == "wait":
            return "Time passes.", True
        if action == "wedge door":
            self.wedged = True
            return "The door is stuck for good.", True
        if action == "take lamp" and self.here == self.last:
            self.taken = True
            return "You take the lamp.", True
        if action == "smash lamp":
            self.smashed = True
            return "Why did you do that?", True
        return "That is not possible here.", False


class CorridorEpisode(Episode):
    def __init__(self, size: int) -> None:
        self.state = Corridor(size)

    @property
    def goal(self) -> str:
        return f"Take the lamp from room {self.state.last}."

    @property
    def observation(self) -> str:
        return "You are in room 0."

    async def step(self, action: str) -> EngineStep:
        observation, valid = self.state.act(action)
        done = self.state.taken or self.state.smashed
        return EngineStep(observation, self.state.score, done=done, success=self.state.taken, valid=valid)

    async def close(self) -> None:
        return


class CorridorWorld(Environment):
    """The environment, expert included. Games with an odd number are for training, even ones held out."""

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    def info(self) -> EnvironmentInfo:
        return EnvironmentInfo(
            name="corridor",
            engine_version="1",
            data_version="1",
            splits=[SplitInfo(name=name, tasks=len(self.tasks(name))) for name in ("train", "test")],
            task_types=list(TYPES),
            action_grammar=["go to room N", "take lamp", "smash lamp", "wait"],
            instruction="You are in a corridor.\nActions: go to room N, take lamp, smash lamp, wait.",
            max_steps=MAX_STEPS,
            capabilities=["expert", "fork"],
        )

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        if split not in (None, "train", "test"):
            raise RestepError("unknown_split", str(split))
        every = [
            TaskInfo(id=f"{kind}/{size}", split="train" if size % 2 else "test", type=kind) for kind in TYPES for size in SIZES
        ]
        return [task for task in every if split in (None, task.split) and type in (None, task.type)]

    def task(self, task_id: str) -> TaskInfo:
        for task in self.tasks():
            if task.id == task_id:
                return task
        raise RestepError("unknown_task", task_id)

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> CorridorEpisode:
        del seed, options
        return CorridorEpisode(int(self.task(task_id).id.split("/")[1]))

    async def expert(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        state = Corridor(int(key.task_id.split("/")[1]))
        for action in key.actions[:-1]:
            state.act(action)
        verdict = None
        if key.actions:
            before = state.distance
            observation, valid = state.act(key.actions[-1])
            verdict = _verdict(key.actions[-1], observation, valid, before, state.distance)
        plan = state.plan()
        thought = f"I need room {state.last} for the lamp, so I {plan[0]}." if plan else ""
        reachable = bool(plan) and len(key.actions) + len(plan) <= max_steps
        return ExpertAdvice(seq=len(key.actions), actions=plan, thought=thought, reachable=reachable, verdict=verdict)


def _verdict(action: str, observation: str, valid: bool, before: int | None, after: int | None) -> StepVerdict:
    def verdict(decision: Decision, reason: str) -> StepVerdict:
        return StepVerdict(decision=decision, reason=reason, distance_before=before, distance_after=after)

    if not valid:
        return verdict("invalid", "The corridor does not know that action.")
    if after is None:
        return verdict("fatal", "The lamp can no longer be taken.")
    if before is not None and after > before:
        return verdict("harmful", "The lamp is farther away now.")
    if before is not None and after == before:
        return verdict("needless", f"Nothing changed by {action}.")
    return verdict("useful", observation)
