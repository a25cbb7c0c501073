"""Raw play of the simulator for pre-training: errands at random, idle wandering, and expert play, on train tasks only.

An errand walks through the house and handles what it sees, at random but with a purpose kept for each step, from
which :mod:`trainer.corpus` makes the goal afterwards. Errors happen (a thing that cannot be lifted, a closed door, an
ambiguous name) and are repaired; they stay in. Expert play leaves out the task types named by ``unseen``: what a
student is to be taught later must not have been shown to its base, and the engine takes half a minute to find the
solution of a genetics task.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import Field

from shared.environment import Environment, Episode, EpisodeKey
from shared.errors import EngineLost, RestepError
from shared.protocol import TaskInfo
from trainer.corpus import Kind, Play, PlayStep, listed_names
from trainer.options import Options

log = logging.getLogger(__name__)

SPLIT: Final = "train"
_FURNITURE: Final = re.compile(
    r"table|counter|chair|cupboard|freezer|fridge|oven|sink|stove|bed|couch|desk|toilet|bathtub|fire p|fountain|hive|furnace"
    r"|closet|book ?shelf|picture|painting|drawing"
)
_HOLDER: Final = re.compile(r"box|bowl|cup|jar|table|counter|chair|sink|jug|bed|pot|fire pit|fountain|couch|desk|furnace|stove")
_OPENABLE: Final = re.compile(r"cupboard|fridge|freezer|closet|drawer|oven|desk|bee hive")
_CIRCUIT: Final = re.compile(r"wire|battery|bulb|motor|buzzer|panel|turbine|generator|switch")
_VERBS: Final = ("look at", "look in", "open", "close", "activate", "deactivate", "read", "pick up", "eat", "mix", "flush")
_PAIRS: Final = ("move {} to {}", "pour {} into {}", "dunk {} into {}", "use {} on {}", "connect {} to {}")
_MENU: Final = "Ambiguous request"


class PlayOptions(Options):
    """How much is played, and how."""

    plays: int = Field(default=4400, ge=1, description="episodes played")
    seed: int = Field(default=0, description="of tasks, errands and mistakes")
    easy: float = Field(default=0.75, ge=0.0, le=1.0, description="share of episodes with the simplification `easy`")
    unseen: tuple[str, ...] = Field(
        default=("find-", "lifespan-", "mendelian-"),
        description="task types, by the start of their names, of which no expert play is taken",
    )
    expert_steps: int = Field(default=60, ge=1, description="longest expert play; the rest of a longer one is left out")
    sessions: int = Field(default=4, ge=1, description="episodes at a time")


class _Over(Exception):
    """The episode ended, or the errand cannot go on."""


class PlayFile:
    """Plays on disk, a line of JSON each with its number, appended as they are finished."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def rows(self) -> list[dict[str, Any]]:
        """Whole lines in the order of their numbers; a line cut off by a kill is left out."""
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().split(b"\n")[:-1]
        found = {int(row["number"]): row for row in map(_row, lines) if row}
        return [found[number] for number in sorted(found)]

    def plays(self) -> list[Play]:
        """All plays; the order in which they were finished does not matter."""
        return [Play.from_row(row) for row in self.rows()]

    def add(self, number: int, play: Play) -> None:
        """Append one; on a line of its own even after a cut-off one."""
        line = orjson.dumps({"number": number, **play.to_row()}) + b"\n"
        with self._path.open("ab+") as file:
            if file.tell() and not _ends_line(self._path):
                file.write(b"\n")
            file.write(line)


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _row(line: bytes) -> dict[str, Any]:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}


async def collect_plays(
    environment: Environment, options: PlayOptions, file: PlayFile, rooms: dict[str, tuple[str, ...]]
) -> None:
    """Play into ``file`` what is missing there. Play n depends on (seed, n) alone.

    A play that the engine or the expert fails in is left out and logged.
    """
    done = {int(row["number"]) for row in file.rows()}
    tasks = tasks_by_type(environment.tasks(SPLIT))
    todo = iter([number for number in range(options.plays) if number not in done])

    async def worker() -> None:
        for number in todo:
            play = await play_one(environment, options, number, tasks, rooms)
            if play is not None:
                file.add(number, play)

    await asyncio.gather(*(worker() for _ in range(options.sessions)))


def tasks_by_type(tasks: Sequence[TaskInfo]) -> dict[str, list[TaskInfo]]:
    """Tasks grouped by their types, in their order."""
    grouped: dict[str, list[TaskInfo]] = {}
    for task in tasks:
        grouped.setdefault(task.type, []).append(task)
    return grouped


async def play_one(
    environment: Environment,
    options: PlayOptions,
    number: int,
    tasks: dict[str, list[TaskInfo]],
    rooms: dict[str, tuple[str, ...]],
) -> Play | None:
    """Play ``number``; None when nothing was done in it. Raises AssertionError for a task outside the train split."""
    rng = random.Random(f"{options.seed}/{number}")
    kind: Kind = rng.choices(("errand", "expert", "wander"), (0.7, 0.18, 0.12))[0]
    types = [name for name in tasks if kind != "expert" or not name.startswith(options.unseen)]
    task = rng.choice(tasks[rng.choice(types)])
    if task.split != SPLIT:
        raise AssertionError(f"{task.id} belongs to {task.split}; only {SPLIT} tasks may enter pre-training")
    simplification = "easy" if rng.random() < options.easy else ""
    try:
        episode = await environment.reset(task.id, 0, {"simplification": simplification})
        try:
            walk = Walk(episode, rooms, rng, easy=simplification == "easy")
            if kind == "expert":
                key = EpisodeKey(task.id, 0, (("simplification", simplification),))
                advice = await environment.expert(key, options.expert_steps)
                await walk.follow(advice.actions[: options.expert_steps])
            elif kind == "wander":
                await walk.wander()
            else:
                await walk.errand()
        finally:
            await episode.close()
    except (RestepError, EngineLost) as error:
        log.warning("play %d (%s) left out: %s", number, task.id, error)
        return None
    if not walk.steps:
        return None
    variation = int(task.id.rpartition("/")[2])
    return Play(kind, task.type, variation, simplification, episode.goal, episode.observation, tuple(walk.steps))


class Walk:
    """One episode under way: where the player is, what it sees, what it did and why."""

    def __init__(self, episode: Episode, rooms: dict[str, tuple[str, ...]], rng: random.Random, *, easy: bool) -> None:
        self._episode, self._rooms, self._rng, self._easy = episode, rooms, rng, easy
        self.steps: list[PlayStep] = []
        self._seen = episode.observation
        self._room = room_of(episode.observation)

    async def follow(self, actions: Sequence[str]) -> None:
        """Do what a plan says, to its end or the episode's."""
        for action in actions:
            if (await self._engine(action, None))[1]:
                return

    async def wander(self) -> None:
        """Some rooms, some valid actions, for no reason."""
        try:
            for _ in range(self._rng.randint(4, 9)):
                if self._rng.random() < 0.35 and self._room in self._rooms:
                    await self._visit(self._rng.choice(self._rooms[self._room]))
                else:
                    await self._act(self._idle(await self._episode.admissible_actions()), "valid")
        except _Over:
            return

    def _idle(self, actions: Sequence[str]) -> str:
        verbs: dict[str, list[str]] = {}
        for action in actions:
            verbs.setdefault(action.split()[0], []).append(action)
        chosen = [verb for verb in verbs if verb not in {"focus", "reset", "task"}] or list(verbs)
        return self._rng.choice(verbs[self._rng.choice(chosen)])

    async def errand(self) -> None:
        """One to three legs: go somewhere, do something with what is there."""
        rng = self._rng
        try:
            for leg in range(rng.choice((1, 1, 1, 2, 2, 3))):
                if leg or rng.random() < 0.8:
                    await self._visit(self._elsewhere())
                if rng.random() < 0.3:
                    await self._look_into()
                deed = rng.choices((self._carry, self._single, self._pair, self._focus), (50, 22, 15, 13))[0]
                await deed()
        except _Over:
            return

    # --- parts of an errand ---------------------------------------------------------------------------------

    async def _look_into(self) -> None:
        closed = [name for name in self._things() if _OPENABLE.search(name)]
        if closed:
            name = self._rng.choice(closed)
            await self._act(f"open {name}", "openc", name)
            await self._act(f"look in {name}", "lookin", name)

    async def _carry(self) -> None:
        small = self._small()
        for attempt in (0, 1):
            name = self._rng.choice(small)
            if not attempt and self._rng.random() < 0.3:
                await self._act(f"look at {name}", "lookat", name)
            if "inventory" in await self._act(f"pick up {name}", "pick", name):
                break
            if attempt or self._rng.random() < 0.5:
                raise _Over
        if self._rng.random() < 0.75:
            await self._visit("kitchen" if self._rng.random() < 0.45 else self._elsewhere())
        await self._put(name)

    async def _focus(self) -> None:
        name = self._rng.choice(self._things() if self._rng.random() < 0.3 else self._small())
        await self._act(f"focus on {name}", "focus", name)
        if self._rng.random() < 0.6 and "inventory" in await self._act(f"pick up {name}", "pick", name):
            await self._visit("kitchen" if self._rng.random() < 0.6 else self._elsewhere())
            await self._put(name)

    async def _put(self, name: str) -> None:
        holders = [other for other in self._things() if _HOLDER.search(other) and other != name]
        boxes = [other for other in holders if other.endswith("box")]
        if not holders:
            await self._act(f"put down {name}", "drop", name)
            return
        place = self._rng.choice(boxes if boxes and self._rng.random() < 0.6 else holders)
        await self._act(f"move {name} to {place}", "move", name, place)

    async def _single(self) -> None:
        things = self._things()
        for name in self._rng.sample(things, min(len(things), self._rng.randint(1, 4))):
            verb = self._rng.choice(_VERBS)
            await self._act(f"{verb} {name}", "verb", verb, name)

    async def _pair(self) -> None:
        for _ in range(self._rng.randint(1, 3)):
            things = self._things()
            parts = [name for name in things if _CIRCUIT.search(name)]
            if len(parts) > 2 and self._rng.random() < 0.8:
                one, two = (self._pole(name) for name in self._rng.sample(parts, 2))
                verb = "connect {} to {}"
            elif len(things) > 1:
                one, two = self._rng.sample(things, 2)
                verb = self._rng.choice(_PAIRS)
            else:
                raise _Over
            await self._act(verb.format(one, two), "two", verb, one, two)

    def _pole(self, name: str) -> str:
        if "wire" in name:
            return f"{name} terminal {self._rng.randint(1, 2)}"
        return f"{self._rng.choice(('anode', 'cathode'))} in {name}"

    # --- moving and acting ----------------------------------------------------------------------------------

    def _elsewhere(self) -> str:
        return self._rng.choice([room for room in self._rooms if room != self._room])

    async def _visit(self, goal: str) -> None:
        """Go to a room by its doors (or at once where that is allowed) and look around there."""
        if goal == self._room:
            return
        if self._easy and self._rng.random() < 0.3:
            await self._act(f"teleport to {goal}", "teleport", goal)
        else:
            for place in way(self._rooms, self._room, goal):
                await self._step_to(place, goal)
        self._room = goal
        self._seen = await self._act("look around", "look", goal)

    async def _step_to(self, place: str, goal: str) -> None:
        if not self._easy and self._rng.random() < 0.97:
            await self._act(f"open door to {place}", "open", place, goal)
        if "You move" not in await self._act(f"go to {place}", "go", place, goal):
            await self._act(f"open door to {place}", "fixopen", place, goal)
            if "You move" not in await self._act(f"go to {place}", "go", place, goal):
                raise _Over
        self._room = place
        if place != goal and self._rng.random() < 0.12:
            await self._act("look around", "looktransit", place, goal)

    def _things(self) -> list[str]:
        return listed_names(self._seen)

    def _small(self) -> list[str]:
        small = [name for name in self._things() if not _FURNITURE.search(name)]
        if not small:
            raise _Over
        return small

    async def _act(self, action: str, *purpose: str) -> str:
        """One action with its purpose, and the answer to the simulator's question when it asks one."""
        observation, done = await self._engine(action, purpose)
        if done:
            raise _Over
        if observation.startswith(_MENU):
            number = self._rng.choice(("0", "0", "0", "1"))
            observation, done = await self._engine(number, ("choose", number))
            if done:
                raise _Over
        return observation

    async def _engine(self, action: str, purpose: tuple[str, ...] | None) -> tuple[str, bool]:
        reply = await self._episode.step(action)
        self.steps.append(PlayStep(action, reply.observation, purpose))
        return reply.observation, reply.done


def room_of(look: str) -> str:
    """The room a look describes; "" when it describes none."""
    found = re.search(r"called the ([a-z ]+?)\.", look)
    return found.group(1) if found else ""


def way(rooms: dict[str, tuple[str, ...]], start: str, goal: str) -> list[str]:
    """Rooms to pass from ``start`` to ``goal``, the goal included; empty when there is no way. Breadth first."""
    before: dict[str, str] = {start: ""}
    queue = [start]
    for room in queue:
        for place in rooms.get(room, ()):
            if place not in before:
                before[place] = room
                queue.append(place)
    path = [goal] if goal in before and goal != start else []
    while path and before[path[0]] != start:
        path.insert(0, before[path[0]])
    return path
