"""What counts as a game, and what of a file is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.alfworld.game_file import LeftOut, check_folder, digest, goal_of, parse_game, task_type
from services.alfworld.source import GameText
from shared.errors import RestepError
from tests.support.game_layouts import IDS, game, game_file, trajectory_file

GAME = game(IDS[0])


def parse(**changes: Any) -> GameText | LeftOut:
    return parse_game(GAME.task_id, game_file(GAME, **changes), trajectory_file(GAME))


def refusal(content: bytes, trajectory: bytes | None = None) -> str:
    with pytest.raises(RestepError) as raised:
        parse_game(GAME.task_id, content, trajectory)
    assert raised.value.code == "data_corrupt"
    assert GAME.task_id in raised.value.detail
    return raised.value.detail


def test_a_game_is_read_as_it_was_written() -> None:
    assert parse() == GAME


def test_a_game_without_trajectory_has_no_annotations() -> None:
    assert parse_game(GAME.task_id, game_file(GAME), None) == replace(GAME, annotations=())


@pytest.mark.parametrize("walkthrough", [None, []])
def test_a_game_may_have_no_walkthrough(walkthrough: object) -> None:
    found = parse(walkthrough=walkthrough)
    assert isinstance(found, GameText)
    assert found.walkthrough is None


@pytest.mark.parametrize("solvable", [False, None])
def test_a_game_not_marked_as_solvable_is_left_out(solvable: object) -> None:
    found = parse(solvable=solvable)
    assert isinstance(found, LeftOut)
    assert "solvable" in found.reason


@pytest.mark.parametrize(
    "task_id",
    [
        "train/pick_and_place_with_movable_recep-Mug-Pan-Desk-3/trial_T1",
        "train/pick_and_place_simple-AppleSliced-None-Fridge-3/trial_T1",
        "train/wash_the_dog-Dog-None-Sink-3/trial_T1",
        "train/trial_T1",
    ],
)
def test_folders_outside_the_benchmark_are_left_out_unread(task_id: str) -> None:
    assert isinstance(check_folder(task_id), LeftOut)
    assert isinstance(parse_game(task_id, b"not JSON", None), LeftOut)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", game_file(GAME)[:-20]])
def test_a_damaged_file_is_named(content: bytes) -> None:
    assert "game.tw-pddl" in refusal(content)


@pytest.mark.parametrize("key", ["pddl_domain", "grammar", "pddl_problem"])
@pytest.mark.parametrize("value", [None, 3, "", " \n"])
def test_a_missing_part_is_named(key: str, value: object) -> None:
    assert key in refusal(game_file(GAME, **{key: value}))


def test_a_grammar_without_task_sentence_is_refused() -> None:
    assert "task sentence" in refusal(game_file(GAME, grammar="grammar"))


@pytest.mark.parametrize("walkthrough", ["go to desk 1", [1], {"a": 1}])
def test_a_walkthrough_is_a_list_of_commands(walkthrough: object) -> None:
    assert "walkthrough" in refusal(game_file(GAME, walkthrough=walkthrough))


def test_a_damaged_trajectory_is_named() -> None:
    assert "traj_data.json" in refusal(game_file(GAME), b"{")


@pytest.mark.parametrize("trajectory", [b"{}", b'{"turk_annotations": 3}', b'{"turk_annotations": {"anns": [3, {}]}}'])
def test_a_trajectory_may_have_no_annotations(trajectory: bytes) -> None:
    found = parse_game(GAME.task_id, game_file(GAME), trajectory)
    assert isinstance(found, GameText)
    assert found.annotations == ()


def test_type_and_goal_are_the_folders_and_the_grammars() -> None:
    assert task_type(GAME.task_id) == "pick_and_place_simple"
    assert goal_of(GAME.grammar, GAME.task_id) == "Your task is to: do something with the mug."


@pytest.mark.parametrize("field", ["task_id", "domain", "grammar", "problem", "walkthrough", "annotations"])
def test_the_digest_covers_everything(field: str) -> None:
    value: Any = ("other",) if field in ("walkthrough", "annotations") else "other"
    assert digest(replace(GAME, **{field: value})) != digest(GAME)
