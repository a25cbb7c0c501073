"""One library, whatever layout the games come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.alfworld.folder import NAME
from services.alfworld.library import EMBEDDED, GameLibrary, open_library
from services.alfworld.pack import PackWriter
from services.alfworld.source import GameText, Library
from shared.errors import RestepError
from tests.support.game_layouts import IDS, game, games, members, write_folder, write_tar


def write_pack(path: Path, texts: list[GameText]) -> Path:
    writer = PackWriter()
    for text in texts:
        writer.add(text)
    writer.write(path)
    return path


def as_pack(data: Path) -> None:
    write_pack(data / "alfworld" / "games.jsonl.xz", games())


def as_packs(data: Path) -> None:
    write_pack(data / "alfworld" / "a.jsonl.xz", games()[:1])
    write_pack(data / "alfworld" / "b.jsonl.xz", games()[1:])


def as_folder(data: Path) -> None:
    write_folder(data / "alfworld" / NAME, games())


def as_tars(data: Path) -> None:
    write_tar(data / "alfworld" / "a.tar.xz", members(games()[:2]))
    write_tar(data / "alfworld" / "b.tar.xz", members(games()[2:]))


LAYOUTS = (as_pack, as_packs, as_folder, as_tars)


@pytest.fixture
def said() -> list[str]:
    return []


def opened(folder: Path, said: list[str]) -> GameLibrary:
    return open_library(folder / "data", cache=folder / "cache", say=said.append)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_the_same_library(layout: object, tmp_path: Path, said: list[str]) -> None:
    assert callable(layout)
    layout(tmp_path / "data")
    for _ in range(2):  # made, and found again
        library: Library = opened(tmp_path, said)
        assert library.splits() == {"train": 3, "valid_seen": 1}
        assert [task.id for task in library.tasks()] == [*sorted(IDS[:3]), IDS[3]]
        assert [library.load(task_id) for task_id in IDS] == games()
        assert library.task(IDS[1]).type == "look_at_obj_in_light"
        assert library.data_version == "dd45ad6549776bae"


def test_without_a_folder_the_embedded_games_are_played() -> None:
    library = open_library(None)
    assert library.origin == "embedded"
    assert set(library.splits()) == {"embedded_train", "embedded_seen", "embedded_unseen"}


def test_a_folder_without_games_of_ours_says_so(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "data" / "webshop").mkdir(parents=True)
    assert opened(tmp_path, said).origin == "embedded"
    assert "no games of ALFWorld" in said[0]


def test_a_missing_folder_is_named(tmp_path: Path, said: list[str]) -> None:
    with pytest.raises(RestepError, match="data: no such folder") as raised:
        opened(tmp_path, said)
    assert raised.value.code == "data_not_found"


def test_archives_are_packed_once(tmp_path: Path, said: list[str]) -> None:
    as_tars(tmp_path / "data")
    opened(tmp_path, said)
    assert said[0] == "packing a.tar.xz, b.tar.xz once, which takes half a minute"
    said.clear()
    opened(tmp_path, said)
    assert said == []


def test_changed_archives_are_packed_again(tmp_path: Path, said: list[str]) -> None:
    as_tars(tmp_path / "data")
    opened(tmp_path, said)
    write_tar(tmp_path / "data" / "alfworld" / "b.tar.xz", members(games()[2:3]))
    assert opened(tmp_path, said).splits() == {"train": 3}


def test_a_damaged_pack_in_the_cache_is_made_again(tmp_path: Path, said: list[str]) -> None:
    as_tars(tmp_path / "data")
    opened(tmp_path, said)
    (kept,) = (tmp_path / "cache" / "alfworld" / "packs").iterdir()
    kept.write_bytes(kept.read_bytes()[:-10])
    said.clear()
    assert opened(tmp_path, said).load(IDS[0]) == games()[0]
    assert "making it again" in said[0]


def test_damage_in_an_archive_is_said(tmp_path: Path, said: list[str]) -> None:
    rows = members(games())
    rows[0] = (rows[0][0], b"{")
    write_tar(tmp_path / "data" / "alfworld" / "a.tar.xz", rows)
    assert opened(tmp_path, said).splits() == {"train": 2, "valid_seen": 1}
    assert any(IDS[0] in line and "not valid JSON" in line for line in said)


def test_packs_are_taken_before_the_folder(tmp_path: Path, said: list[str]) -> None:
    as_folder(tmp_path / "data")
    write_pack(tmp_path / "data" / "alfworld" / "games.jsonl.xz", games()[:1])
    assert opened(tmp_path, said).splits() == {"train": 1}


def test_a_game_in_two_packs_is_refused(tmp_path: Path, said: list[str]) -> None:
    as_pack(tmp_path / "data")
    write_pack(tmp_path / "data" / "alfworld" / "more.jsonl.xz", [game(IDS[0], problem="other")])
    with pytest.raises(RestepError, match="twice") as raised:
        opened(tmp_path, said)
    assert raised.value.code == "data_corrupt"


def test_a_damaged_pack_is_named(tmp_path: Path, said: list[str]) -> None:
    as_pack(tmp_path / "data")
    path = tmp_path / "data" / "alfworld" / "games.jsonl.xz"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RestepError, match=r"games\.jsonl\.xz") as raised:
        opened(tmp_path, said)
    assert raised.value.code == "data_corrupt"


def test_unknown_splits_and_tasks_are_told_what_there_is(tmp_path: Path, said: list[str]) -> None:
    as_pack(tmp_path / "data")
    library = opened(tmp_path, said)
    with pytest.raises(RestepError, match="train, valid_seen") as raised:
        library.tasks("test")
    assert raised.value.code == "unknown_split"
    for ask in (library.task, library.load):
        with pytest.raises(RestepError, match="no task 'train/x/y'") as raised:
            ask("train/x/y")
        assert raised.value.code == "unknown_task"


def test_the_embedded_games_are_small() -> None:
    assert EMBEDDED.stat().st_size < 150_000
