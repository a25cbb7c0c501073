"""The games that come with restep are won by their plans: in our engine all of them, in the benchmark's own a sample.

The benchmark's engine is a process of an interpreter that has it. Either engine's planner finds no shorter plan.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.alfworld.direct import DirectEngine
from services.alfworld.game import open_game
from services.alfworld.library import embedded_library
from services.alfworld.planner import Planner
from services.alfworld.rules import Rulebook
from services.alfworld.source import GameText
from tests.support.alfworld_engines import spread, textworld_python
from tests.support.game_layouts import game_file

PYTHON = textworld_python()
PLAYER = Path(__file__).parents[2] / "support" / "textworld_player.py"


async def test_every_plan_wins_with_its_last_command_and_not_before() -> None:
    library = embedded_library()
    engine = DirectEngine()
    await engine.start()
    for task in library.tasks():
        game = library.load(task.id)
        assert game.walkthrough is not None
        episode = await engine.begin(task.id, lambda game=game: game, "new")
        assert episode.goal == task.goal
        won: list[bool] = []
        for command in game.walkthrough:
            assert command in await episode.admissible_actions(), (task.id, command)
            won.append((await episode.step(command)).success)
        assert won == [False] * (len(won) - 1) + [True], task.id
    await engine.stop()


def test_no_plan_is_longer_than_it_must_be() -> None:
    library, book = embedded_library(), Rulebook()
    for task in library.tasks():
        game = open_game(library.load(task.id), book, "new")
        way = Planner(game).plan(game.tables)
        assert way is not None, task.id
        assert game.walkthrough is not None
        assert len(way) == len(game.walkthrough), task.id


def originals(games: list[GameText], folder: Path) -> list[dict[str, Any]]:
    """What the benchmark's own engine answers to each game's plan."""
    asked: list[str] = []
    for number, game in enumerate(games):
        path = folder / str(number) / "game.tw-pddl"
        path.parent.mkdir()
        path.write_bytes(game_file(game))
        asked.append(json.dumps({"path": str(path), "commands": game.walkthrough}))
    command = [str(PYTHON), str(PLAYER), "--plan"]
    done = subprocess.run(command, input="\n".join(asked), capture_output=True, text=True, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(PYTHON is None, reason="TextWorld is not installed (make textworld)")
def test_the_original_engine_loads_plays_and_wins_them_unchanged(tmp_path: Path) -> None:
    library = embedded_library()
    games = [library.load(task_id) for task_id in spread([task.id for task in library.tasks()], 18)]
    answers = originals(games, tmp_path)
    assert len(answers) == len(games)
    for game, answer in zip(games, answers, strict=True):
        assert game.walkthrough is not None
        assert library.task(game.task_id).goal in answer["room"]
        assert answer["won"] == [False] * (len(game.walkthrough) - 1) + [True], game.task_id
        assert all(command in offered for command, offered in zip(game.walkthrough, answer["admissible"], strict=False))
        assert "Nothing happens." not in answer["observations"]
        assert answer["plan"] == len(game.walkthrough), game.task_id
