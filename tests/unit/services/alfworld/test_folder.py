"""The official layout is read once, and what changed since is noticed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from services.alfworld import folder as folder_module
from services.alfworld.folder import GameFolder, index_path
from shared.errors import RestepError
from tests.support.game_layouts import IDS, game, game_file, games, write_folder


class Told(list[str]):
    """Lines said, and a folder opened with them."""

    def open(self, root: Path, cache: Path) -> GameFolder:
        self.clear()
        return GameFolder.open(root, cache, self.append)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "json_2.1.1", games())


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def damage(opened: GameFolder, task_id: str) -> str:
    with pytest.raises(RestepError) as raised:
        opened.load(task_id)
    assert raised.value.code == "data_corrupt"
    return raised.value.detail


def test_every_game_is_read_as_it_was_written(root: Path, cache: Path) -> None:
    opened = Told().open(root, cache)
    assert [opened.load(task_id) for task_id in IDS] == games()
    assert opened.index.task(IDS[0]).goal == "Your task is to: do something with the mug."


def test_a_folder_without_index_works_and_says_so(root: Path, cache: Path) -> None:
    told = Told()
    told.open(root, cache)
    assert told[0] == f"{root}: no index yet; reading all its games once, which takes some seconds"
    assert told[1] == f"{root}: 4 games, index in {index_path(root, cache)}"


def test_the_second_start_opens_no_game(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    first = told.open(root, cache)
    monkeypatch.setattr(folder_module, "parse_game", None)
    second = told.open(root, cache)
    assert told == []
    assert second.index.data_version() == first.index.data_version()
    assert second.index.select(None, None) == first.index.select(None, None)


def test_a_folder_added_or_taken_away_makes_the_index_stale(root: Path, cache: Path) -> None:
    told = Told()
    told.open(root, cache)
    write_folder(root, [game("train/pick_and_place_simple-Pen-None-Desk-303/trial_T1")])
    assert told.open(root, cache).index.splits()["train"] == 4
    assert "folders changed" in told[0]
    shutil.rmtree(root / IDS[0])
    assert IDS[0] not in told.open(root, cache).index.entries
    assert "folders changed" in told[0]


def test_a_trial_added_to_a_task_makes_the_index_stale(root: Path, cache: Path) -> None:
    told = Told()
    told.open(root, cache)
    write_folder(root, [game(f"{IDS[0].rsplit('/', 1)[0]}/trial_T3")])
    assert told.open(root, cache).index.splits()["train"] == 4


def test_a_changed_game_is_noticed_when_it_is_loaded(root: Path, cache: Path) -> None:
    opened = Told().open(root, cache)
    (root / IDS[0] / "game.tw-pddl").write_bytes(game_file(game(IDS[0]), walkthrough=["look"]))
    assert "changed since" in damage(opened, IDS[0])
    assert "restep data check" in damage(opened, IDS[0])
    assert opened.load(IDS[1]) == game(IDS[1])
    renewed = GameFolder.open(root, cache, lambda _: None, renew=True)
    assert renewed.load(IDS[0]).walkthrough == ("look",)
    assert Told().open(root, cache).load(IDS[0]).walkthrough == ("look",)


def test_a_game_that_vanished_is_noticed(root: Path, cache: Path) -> None:
    opened = Told().open(root, cache)
    (root / IDS[0] / "game.tw-pddl").unlink()
    assert IDS[0] in damage(opened, IDS[0])


def test_a_damaged_game_stays_listed_and_says_why(root: Path, cache: Path) -> None:
    (root / IDS[0] / "game.tw-pddl").write_bytes(b'{"pddl_domain": ')
    for _ in range(2):  # without an index, and with it
        opened = Told().open(root, cache)
        assert opened.index.splits() == {"train": 3, "valid_seen": 1}
        assert "not valid JSON" in damage(opened, IDS[0])
        assert opened.load(IDS[1]) == game(IDS[1])


def test_what_is_no_game_is_left_out_with_the_reason(root: Path, cache: Path) -> None:
    (root / IDS[0] / "game.tw-pddl").write_bytes(game_file(game(IDS[0]), solvable=False))
    (root / IDS[1] / "game.tw-pddl").unlink()
    opened = Told().open(root, cache)
    assert opened.index.splits() == {"train": 1, "valid_seen": 1}
    with pytest.raises(RestepError, match="solvable") as raised:
        opened.load(IDS[0])
    assert raised.value.code == "unknown_task"
    with pytest.raises(RestepError, match=r"has no game\.tw-pddl"):
        opened.load(IDS[1])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 0}', b'{"version": 1}'])
def test_a_damaged_index_is_made_again(root: Path, cache: Path, content: bytes) -> None:
    told = Told()
    told.open(root, cache)
    index_path(root, cache).write_bytes(content)
    assert told.open(root, cache).index.splits() == {"train": 3, "valid_seen": 1}
    assert "reading all its games once" in told[0]


def test_an_index_of_the_right_stamp_without_games_is_made_again(root: Path, cache: Path) -> None:
    told = Told()
    told.open(root, cache)
    path = index_path(root, cache)
    path.write_bytes(path.read_bytes().replace(b'"games"', b'"gamez"'))
    assert told.open(root, cache).index.splits() == {"train": 3, "valid_seen": 1}


def test_a_cache_that_cannot_be_written_costs_only_time(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = Told()
    assert told.open(root, tmp_path / "file").load(IDS[0]) == game(IDS[0])
    assert "cannot be kept" in told[-1]


def test_a_missing_folder_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(RestepError, match="absent") as raised:
        Told().open(tmp_path / "absent", cache)
    assert raised.value.code == "data_not_found"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(root: Path, cache: Path) -> None:
    (root / IDS[0] / "game.tw-pddl").chmod(0)
    assert "Permission denied" in damage(Told().open(root, cache), IDS[0])


def test_files_beside_the_folders_do_not_disturb(root: Path, cache: Path) -> None:
    for place in (root, root / "train", root / IDS[0]):
        (place / "notes.txt").write_text("hello")
    assert Told().open(root, cache).index.splits() == {"train": 3, "valid_seen": 1}
