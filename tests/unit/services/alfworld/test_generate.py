"""Generated games are what they promise: reproducible, disjoint, possible, and won by their plan."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alfworld.game_file import TASK_TYPES, digest, task_type
from services.alfworld.generate import EMBEDDED_SCENES, EMBEDDED_SEED, LOGIC, generate_games
from services.alfworld.generate_rooms import FITS, FIXED, ROOMS
from services.alfworld.generate_scene import LEAST, MOST, draw_scene, lay_out, places
from services.alfworld.generate_task import LOOK, PICK, TREATMENTS, TWO, Goal, arrange, possible_goals, shortest_plan
from services.alfworld.library import embedded_library
from services.alfworld.source import GameText
from shared.errors import RestepError

KINDS = st.sampled_from(sorted(ROOMS))


@pytest.fixture(scope="module")
def games() -> list[GameText]:
    library = embedded_library()
    return [library.load(task.id) for task in library.tasks()]


def combination(task_id: str) -> tuple[str, str, str]:
    kind, thing, _, target, _ = task_id.split("/")[1].split("-")
    return kind, thing, target


def scene_of(task_id: str) -> str:
    return task_id.split("/")[1].rsplit("-", 1)[1]


def test_the_embedded_games_are_made_by_this_code(games: list[GameText]) -> None:
    made = {game.task_id: digest(game) for game in generate_games(EMBEDDED_SCENES, EMBEDDED_SEED)}
    assert made == {game.task_id: digest(game) for game in games}


def test_there_are_enough_of_every_type() -> None:
    splits = embedded_library().splits()
    assert splits == {"embedded_train": 240, "embedded_seen": 60, "embedded_unseen": 60}
    for split, count in splits.items():
        types = Counter(task.type for task in embedded_library().tasks(split))
        assert set(types) == set(TASK_TYPES)
        assert min(types.values()) >= count / 8


def test_no_scene_is_in_two_splits(games: list[GameText]) -> None:
    scenes: dict[str, set[str]] = {}
    for game in games:
        scenes.setdefault(game.task_id.split("/", 1)[0], set()).add(scene_of(game.task_id))
    assert sum(len(each) for each in scenes.values()) == len({scene for each in scenes.values() for scene in each})


def test_seen_games_ask_what_training_asks_and_unseen_ones_never_do(games: list[GameText]) -> None:
    asked: dict[str, set[tuple[str, str, str]]] = {}
    for game in games:
        asked.setdefault(game.task_id.split("/", 1)[0], set()).add(combination(game.task_id))
    assert asked["embedded_seen"] <= asked["embedded_train"]
    assert not asked["embedded_unseen"] & asked["embedded_train"]


def test_another_seed_makes_other_games_with_other_ids() -> None:
    one, other = (list(generate_games(6, seed)) for seed in (1, 2))
    assert not {game.task_id for game in one} & {game.task_id for game in other}
    assert not {game.problem for game in one} & {game.problem for game in other}


def test_no_scene_at_all_is_refused() -> None:
    with pytest.raises(RestepError, match="at least one"):
        next(generate_games(0, 1))


@settings(max_examples=20)
@given(st.integers(1, 8), st.integers(0, 10_000))
def test_any_number_of_scenes_gives_games(scenes: int, seed: int) -> None:
    made = list(generate_games(scenes, seed))
    assert len({game.task_id for game in made}) == len(made)
    counts = Counter(game.task_id.split("/", 1)[0] for game in made)
    assert counts["embedded_train"] == scenes * 5
    assert counts["embedded_unseen"] > 0


def test_tables_agree_with_each_other() -> None:
    for room in ROOMS.values():
        assert set(room.furniture) <= set(FITS)
        assert set(room.task_types) <= set(TASK_TYPES)
        for thing, kinds in room.homes.items():
            assert set(kinds) <= set(room.furniture)
            if thing not in FIXED:
                assert all(thing in FITS[kind] for kind in kinds), thing
        lightest = sum(least for least, _ in room.furniture.values())
        assert lightest <= MOST


@given(KINDS, st.integers(1, 500), st.integers(0, 1000))
def test_a_scene_is_small_and_every_piece_has_its_own_place(kind: str, count: int, seed: int) -> None:
    scene = draw_scene(kind, count, seed)
    assert scene == draw_scene(kind, count, seed)
    assert LEAST <= len(scene.pieces) <= MOST
    for each in ("id", "name", "location"):
        assert len({getattr(piece, each) for piece in scene.pieces}) == len(scene.pieces)


@given(KINDS, st.integers(1, 100), st.integers(0, 1000))
def test_objects_lie_in_their_homes_under_names_the_benchmark_would_give(kind: str, count: int, seed: int) -> None:
    scene = draw_scene(kind, count, seed)
    things = lay_out(scene, {}, {}, random.Random(seed))
    assert things
    for thing in things:
        assert thing.place in scene.pieces
        assert thing.place.type in places(scene, thing.type)
    named = {thing.id.lower(): thing.name for thing in things} | {piece.id.lower(): piece.name for piece in scene.pieces}
    assert named == benchmark_names(named)


def benchmark_names(ids: dict[str, str]) -> dict[str, str]:
    """Numbers are dealt from the highest down, in the order of ids; basins are named by what they belong to."""

    def stem(one: str) -> str:
        return one.split("_bar_")[0] + ("basin" if "basin" in one else "")

    left = Counter(map(stem, ids))
    names: dict[str, str] = {}
    for one in sorted(ids):
        names[one] = f"{stem(one)} {left[stem(one)]}"
        left[stem(one)] -= 1
    return names


@given(KINDS, st.integers(1, 100), st.integers(0, 1000), st.data())
def test_every_goal_can_be_met_and_is_not_met_at_the_start(kind: str, count: int, seed: int, data: st.DataObject) -> None:
    scene = draw_scene(kind, count, seed)
    goals = [goal for type in scene.room.task_types for goal in possible_goals(scene, type)]
    goal = data.draw(st.sampled_from(goals))
    things = arrange(scene, goal, random.Random(seed))
    wanted = [thing for thing in things if thing.type == goal.thing]
    assert len(wanted) >= (2 if goal.type == TWO else 1)
    if goal.type in (PICK, TWO):
        assert all(thing.place.type != goal.target for thing in wanted)
    plan = shortest_plan(scene, things, goal)
    assert len(plan) >= 3
    played(plan, {thing.name: thing.place.name for thing in things}, {p.name for p in scene.pieces if p.openable}, goal)


def played(plan: tuple[str, ...], lies: dict[str, str], closed: set[str], goal: Goal) -> None:
    """A player of a few rules, apart from the code that planned: every command is possible and the last one wins."""
    at, held, done = "", "", {goal.type: False}
    treated: set[str] = set()
    for command in plan:
        assert not done[goal.type]
        words = re.split(r" (?:from|to|with) |^(?:go to|open|take|move|use|heat|cool|clean) ", command)
        first, second = words[1], words[2] if len(words) > 2 else ""
        match command.split()[0]:
            case "go":
                assert at != first
                at = first
            case "open":
                assert at == first
                closed.remove(first)
            case "take":
                assert (held, lies[first], at) == ("", second, second)
                assert second not in closed
                held = first
                del lies[first]
            case "move":
                assert (held, at) == (first, second)
                assert second not in closed
                held, lies[first] = "", second
            case "use":
                assert lies[first] == at
                treated.add(first)
            case verb:
                treatment = TREATMENTS[goal.type]
                assert (held, at, verb) == (first, second, treatment.verb)
                assert second.rsplit(" ", 1)[0] == treatment.tool.lower()
                treated.add(first)
        done[goal.type] = met(goal, at, held, lies, treated)
    assert done[goal.type]


def met(goal: Goal, at: str, held: str, lies: dict[str, str], treated: set[str]) -> bool:
    def is_a(name: str, kind: str) -> bool:
        return name.rsplit(" ", 1)[0] == kind.lower()

    if goal.type == LOOK:
        return is_a(held, goal.thing) and any(is_a(name, "desklamp") and lies[name] == at for name in treated if name in lies)
    put = [place for name, place in lies.items() if is_a(name, goal.thing) and is_a(place, goal.target)]
    if goal.type in TREATMENTS:
        return any(is_a(name, goal.thing) and is_a(lies.get(name, ""), goal.target) for name in treated)
    return bool(put) if goal.type == PICK else max(Counter(put).values(), default=0) >= 2


def test_every_game_has_a_plan_and_a_goal_in_the_benchmarks_words(games: list[GameText]) -> None:
    library = embedded_library()
    for game in games:
        assert game.walkthrough
        kind, thing, target = combination(game.task_id)
        assert kind == task_type(game.task_id)
        goal = library.task(game.task_id).goal
        assert goal.startswith("Your task is to: ")
        assert goal.endswith(".")
        assert f" {thing.lower()} " in goal or f" {thing.lower()}." in goal
        assert target.lower() in goal
        assert goal in game.grammar


def test_domain_and_grammar_are_the_benchmarks_with_their_licence(games: list[GameText]) -> None:
    assert {game.domain for game in games} == {(LOGIC / "alfred.pddl").read_text()}
    template = (LOGIC / "alfred.twl2").read_text()
    assert template.count("UNKNOWN GOAL.") == 1
    assert "MIT License" in (LOGIC / "LICENSE").read_text()


def test_held_out_combinations_are_about_a_fifth() -> None:
    goals = {
        goal
        for kind in ROOMS
        for count in range(1, 20)
        for type in ROOMS[kind].task_types
        for goal in possible_goals(draw_scene(kind, count, 1), type)
    }
    assert 0.15 < sum(goal.held_out for goal in goals) / len(goals) < 0.25
