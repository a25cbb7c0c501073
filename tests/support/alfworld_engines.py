"""Games for tests of ALFWorld, and a comparison of its two engines command by command."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from services.alfworld.direct import DirectEngine
from services.alfworld.library import GameLibrary, open_library
from services.alfworld.original import TextWorldEngine
from shared.environment import Episode

NONSENSE: Final = (
    "",
    "dance",
    "go to",
    "go to moon 1",
    "take  mug 1 from desk 1",
    "Look",
    "help me",
    "put mug 1 in/on desk 1",
    "examine agent1 ",
    "open {r}",
)
_DULL: Final = ("help", "look", "inventory", "examine ", "slice ")


def textworld_python() -> Path | None:
    """An interpreter that has TextWorld: this one, or that of ``RESTEP_TEXTWORLD_PYTHON``."""
    if named := os.environ.get("RESTEP_TEXTWORLD_PYTHON"):
        return Path(named)
    return Path(sys.executable) if find_spec("textworld") and find_spec("alfworld") else None


def script(admissible: Sequence[str], rng: random.Random) -> str:
    """A command for a random play: mostly one that changes something, now and then one nobody understands."""
    draw = rng.random()
    if draw < 0.12:
        return rng.choice(NONSENSE)
    changing = [command for command in admissible if not command.startswith(_DULL)]
    near = [command for command in changing if not command.startswith("go to ")]
    if near and draw < 0.6:
        return rng.choice(near)
    return rng.choice(changing if changing and draw < 0.88 else list(admissible))


async def compare(ours: Episode, theirs: Episode, walkthrough: Sequence[str], steps: int, rng: random.Random) -> list[str]:
    """Play both alike: ``steps`` at random, then the walkthrough. What was different, empty where nothing was."""
    differences: list[str] = []
    if (ours.goal, ours.observation) != (theirs.goal, theirs.observation):
        differences.append(f"first: {ours.observation!r} is not {theirs.observation!r}")
    done = False
    for number in range(steps + len(walkthrough)):
        here, there = await ours.admissible_actions(), await theirs.admissible_actions()
        if here != there:
            differences.append(f"step {number}: admissible {sorted(set(here) ^ set(there))}")
        if done:
            break
        action = script(there, rng) if number < steps else walkthrough[number - steps]
        mine, other = await ours.step(action), await theirs.step(action)
        if mine != other:
            differences.append(f"step {number} {action!r}: {mine} is not {other}")
        done = other.done
    return differences


async def compare_games(library: GameLibrary, tasks: Sequence[str], steps: int, python: Path, workers: int = 1) -> list[str]:
    """:func:`compare` over games, each once at random and once by its walkthrough alone. All differences."""
    direct, original = DirectEngine(), TextWorldEngine(workers, python)
    await direct.start()
    await original.start()
    gate = asyncio.Semaphore(workers)

    async def one(task: str) -> list[str]:
        async with gate:
            walkthrough = library.load(task).walkthrough or ()
            found: list[str] = []
            for length in (steps, 0):
                ours = await direct.begin(task, lambda: library.load(task), "new")
                theirs = await original.begin(task, lambda: library.load(task), "new")
                found += await compare(ours, theirs, walkthrough, length, random.Random(task))
                await theirs.close()
            return [f"{task}: {difference}" for difference in found]

    try:
        return [line for lines in await asyncio.gather(*map(one, tasks)) for line in lines]
    finally:
        await direct.stop()
        await original.stop()


def spread(tasks: Sequence[str], count: int) -> list[str]:
    """``count`` of ``tasks``, evenly spread."""
    return [tasks[index * len(tasks) // count] for index in range(min(count, len(tasks)))]


def main() -> int:
    """The whole comparison: all validation games and 400 for training. Takes about an hour a core."""
    parser = argparse.ArgumentParser(description="Play ALFWorld's games in both engines and list what differs.")
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--validation", type=int, help="only so many of each validation split")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    python, data = textworld_python(), os.environ.get("RESTEP_DATA")
    if python is None or data is None:
        parser.error("set RESTEP_DATA, and RESTEP_TEXTWORLD_PYTHON to an interpreter with TextWorld (make textworld)")
    library = open_library(Path(data))
    tasks: list[str] = []
    for split, count in library.splits().items():
        wanted = given.train if split == "train" else count if given.validation is None else given.validation
        tasks += spread([task.id for task in library.tasks(split)], wanted)
    differences = asyncio.run(compare_games(library, tasks, given.steps, python, given.workers))
    sys.stdout.write("\n".join([*differences, f"{len(tasks)} games, {len(differences)} differences"]) + "\n")
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
