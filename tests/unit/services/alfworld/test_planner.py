"""The planner's ways win, and no shorter ones do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alfworld.game import Game, Move, open_game
from services.alfworld.house import Situation
from services.alfworld.library import embedded_library
from services.alfworld.planner import Planner
from services.alfworld.rules import Rulebook
from services.alfworld.tables import Tables
from shared.errors import RestepError

LIBRARY = embedded_library()
BOOK = Rulebook()
TASKS = [task.id for task in LIBRARY.tasks()]


def game_of(kind: str) -> Game:
    return open_game(LIBRARY.load(next(task for task in TASKS if kind in task)), BOOK, "new")


def played(game: Game, tables: Tables, moves: list[Move]) -> Tables:
    for move in moves:
        found = game.find(tables, game.command(move))
        assert found == move
        tables = game.after(tables, move)
    return tables


def reachable(planner: Planner, tables: Tables, depth: int) -> bool:
    """Whether any ``depth`` moves win, tried one and all."""
    game = planner.game
    layer = [tables]
    met: set[tuple[int, int | None, frozenset[tuple[int, frozenset[int]]], frozenset[int], frozenset[tuple[str, int]]]] = set()
    for _ in range(depth):
        ahead: list[Tables] = []
        for here in layer:
            for action in game.rules.actions:
                for move in game.moves(here, action):
                    there = game.after(here, move)
                    if game.won(there):
                        return True
                    key = _key(planner.house.situation(there))
                    if key not in met:
                        met.add(key)
                        ahead.append(there)
        layer = ahead
    return False


def _key(
    situation: Situation,
) -> tuple[int, int | None, frozenset[tuple[int, frozenset[int]]], frozenset[int], frozenset[tuple[str, int]]]:
    where = frozenset(situation.where.items())
    return situation.here, situation.held, where, situation.opened, situation.made


@pytest.mark.parametrize("task", TASKS[::10])
def test_the_way_from_the_start_is_as_long_as_the_walkthrough(task: str) -> None:
    game = open_game(LIBRARY.load(task), BOOK, "new")
    way = Planner(game).plan(game.tables)
    assert way is not None
    assert game.walkthrough is not None
    assert len(way) == len(game.walkthrough)
    assert game.won(played(game, game.tables, way))


@settings(max_examples=25)
@given(st.sampled_from(TASKS), st.data())
def test_from_anywhere_near_the_goal_no_shorter_way_wins(task: str, data: st.DataObject) -> None:
    game = open_game(LIBRARY.load(task), BOOK, "new")
    planner = Planner(game)
    way = planner.plan(game.tables)
    assert way is not None
    state = played(game, game.tables, way[: max(len(way) - data.draw(st.integers(1, 2)), 0)])
    for _ in range(data.draw(st.integers(0, 2))):
        moves = [move for action in game.rules.actions for move in game.moves(state, action)]
        state = game.after(state, data.draw(st.sampled_from(moves)))
    found = planner.plan(state)
    assert found is not None
    assert game.won(played(game, state, found))
    if not game.won(state) and len(found) <= 4:
        assert not reachable(planner, state, min(len(found) - 1, 3))


@pytest.mark.parametrize("kind", ["pick_and_place", "pick_two", "look_at", "pick_heat", "pick_cool", "pick_clean"])
def test_with_something_else_in_hand_it_is_put_down_first(kind: str) -> None:
    game = game_of(kind)
    planner = Planner(game)
    other = next(
        thing
        for thing, places in planner.house.situation(game.tables).where.items()
        if thing in planner.house.liftable and thing not in planner.aim.things and not planner.house.openable & places
    )
    place = next(iter(planner.house.situation(game.tables).where[other]))
    names = game.problem.names
    state = game.tables
    for command in (f"go to {names[place]}", f"take {names[other]} from {names[place]}"):
        move = game.find(state, command)
        assert move is not None
        state = game.after(state, move)
    way = planner.plan(state)
    assert way is not None
    assert way[0].action.name in ("putobject", "gotolocation")
    assert game.won(played(game, state, way))


def test_where_no_way_leads_there_is_none_and_strange_goals_are_told() -> None:
    text = LIBRARY.load(next(task for task in TASKS if "pick_heat" in task))
    hopeless = open_game(replace(text, problem=text.problem.replace("(heatable", "(cleanable")), BOOK, "new")
    assert Planner(hopeless).plan(hopeless.tables) is None
    goal = text.problem.index("(:goal")
    for strange in ("(isSliced Apple)", "(or (isSliced Apple) (isHot Apple))"):
        other = open_game(replace(text, problem=f"{text.problem[:goal]}(:goal {strange}))"), BOOK, "new")
        with pytest.raises(RestepError) as failure:
            Planner(other)
        assert failure.value.code == "expert_failed"
