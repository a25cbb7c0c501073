"""The experts on every game of the benchmark."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.alfworld.explorer import Explorer, Seen
from services.alfworld.game import open_game
from services.alfworld.library import open_library
from services.alfworld.planner import Planner
from services.alfworld.rules import Rulebook

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set"),
]


def test_the_planner_is_as_quick_as_the_benchmarks_own_optimal_plans() -> None:
    library, book = open_library(Path(os.environ["RESTEP_DATA"])), Rulebook()
    for task in library.tasks():
        game = open_game(library.load(task.id), book, "new")
        way = Planner(game).plan(game.tables)
        assert way is not None, task.id
        assert game.walkthrough is not None
        assert len(way) == len(game.walkthrough), task.id


def test_the_explorer_finds_its_way_in_unknown_houses() -> None:
    """In all of them, in nearly all within the benchmark's limit of 50."""
    library, book = open_library(Path(os.environ["RESTEP_DATA"])), Rulebook()
    lengths: list[int] = []
    for task in [*library.tasks("valid_unseen"), *library.tasks("valid_seen"), *library.tasks("train")[::20]]:
        game = open_game(library.load(task.id), book, "new")
        way = Explorer(Planner(game)).way(game.tables, Seen())
        assert way is not None, task.id
        lengths.append(len(way))
    assert sum(length <= 50 for length in lengths) / len(lengths) > 0.95
