"""Archives become packs; what is damaged in them is told, not lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.alfworld.archives import pack_games, tar_games, zip_games
from services.alfworld.pack import Pack
from shared.errors import RestepError
from tests.support.game_layouts import IDS, game, game_file, games, members, write_tar, zip_of


def zips(folder: Path, games_content: bytes, trajectories: bytes) -> tuple[Path, Path]:
    one, other = folder / "games.zip", folder / "json.zip"
    one.write_bytes(games_content)
    other.write_bytes(trajectories)
    return one, other


def split_members() -> tuple[bytes, bytes]:
    rows = members(games())
    return zip_of(row for row in rows if row[0].endswith("pddl")), zip_of(row for row in rows if row[0].endswith("json"))


def test_tars_are_read_in_any_order_of_members(tmp_path: Path) -> None:
    rows = members(games())
    one = write_tar(tmp_path / "a.tar.xz", rows[:2])
    other = write_tar(tmp_path / "b.tar.xz", [*rows[2:][::-1], ("json_2.1.1/README", b"hello")])
    assert pack_games(tar_games([one, other]), tmp_path / "p.jsonl.xz").games == 4
    pack = Pack(tmp_path / "p.jsonl.xz")
    assert [pack.load(task_id) for task_id in IDS] == games()


def test_a_game_without_trajectory_is_a_game(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.xz", members(games())[:1])
    pack_games(tar_games([path]), tmp_path / "p.jsonl.xz")
    assert Pack(tmp_path / "p.jsonl.xz").load(IDS[0]).annotations == ()


def test_zips_are_joined_by_folder(tmp_path: Path) -> None:
    assert pack_games(zip_games(*zips(tmp_path, *split_members())), tmp_path / "p.jsonl.xz").games == 4
    pack = Pack(tmp_path / "p.jsonl.xz")
    assert [pack.load(task_id) for task_id in IDS] == games()


def test_what_is_left_out_or_damaged_is_counted_and_told(tmp_path: Path) -> None:
    rows = members(games())
    rows[0] = (rows[0][0], b"{")
    rows[2] = (rows[2][0], game_file(game(IDS[1]), solvable=False))
    rows.append(("json_2.1.1/train/pick_and_place_simple-AppleSliced-None-Desk-1/t/game.tw-pddl", b"unread"))
    path = tmp_path / "p.jsonl.xz"
    packed = pack_games(tar_games([write_tar(tmp_path / "a.tar.xz", rows)]), path)
    assert packed.games == 2
    assert sum(packed.left_out.values()) == 2
    assert [IDS[0] in line for line in packed.damaged] == [True]
    with pytest.raises(RestepError, match="solvable"):
        Pack(path).load(IDS[1])


def test_an_archive_without_games_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.xz", [("README", b"hello")])
    with pytest.raises(RestepError, match="no game"):
        pack_games(tar_games([path]), tmp_path / "p.jsonl.xz")
    assert not (tmp_path / "p.jsonl.xz").exists()


@pytest.mark.parametrize("keep", [0, 10, 200, -200])
def test_a_cut_tar_is_refused(tmp_path: Path, keep: int) -> None:
    path = write_tar(tmp_path / "a.tar.xz", members(games()))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RestepError, match=r"a\.tar\.xz") as raised:
        list(tar_games([path]))
    assert raised.value.code == "data_corrupt"


@pytest.mark.parametrize("keep", [0, 10, 300, -30])
def test_a_cut_zip_is_refused(tmp_path: Path, keep: int) -> None:
    games_content, trajectories = split_members()
    with pytest.raises(RestepError, match=r"games\.zip") as raised:
        list(zip_games(*zips(tmp_path, games_content[:keep], trajectories)))
    assert raised.value.code == "data_corrupt"


def test_a_changed_byte_in_a_zip_is_refused(tmp_path: Path) -> None:
    games_content, trajectories = split_members()
    middle = games_content.index(b"game.tw-pddl") + 100
    changed = games_content[:middle] + bytes([games_content[middle] ^ 255]) + games_content[middle + 1 :]
    with pytest.raises(RestepError, match=r"games\.zip"):
        list(zip_games(*zips(tmp_path, changed, trajectories)))
