"""The official archives come from a real server into a pack; whatever goes wrong on the way is one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from services.alfworld.fetch import GAMES, PACK, RECORD, TRAJECTORIES, fetch_games
from services.alfworld.pack import Pack
from shared.errors import RestepError
from tests.support.file_server import Files
from tests.support.game_layouts import IDS, games, members, served_archives, zip_of


@pytest.fixture
def files() -> Iterator[Files]:
    with served_archives() as served:
        yield served


class Said(list[str]):
    def fetch(self, files: Files, folder: Path) -> int | None:
        """Games fetched, or None where they were there."""
        packed = fetch_games(folder, files.url, self.append, pause=0.0)
        return None if packed is None else packed.games

    def refusal(self, files: Files, folder: Path) -> RestepError:
        with pytest.raises(RestepError) as raised:
            self.fetch(files, folder)
        return raised.value


def test_the_archives_become_a_pack_and_go(files: Files, tmp_path: Path) -> None:
    assert Said().fetch(files, tmp_path) == 4
    pack = Pack(tmp_path / PACK)
    assert [pack.load(task_id) for task_id in IDS] == games()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([PACK, RECORD])


def test_what_is_there_is_not_fetched_again(files: Files, tmp_path: Path) -> None:
    said = Said()
    said.fetch(files, tmp_path)
    assert said.fetch(files, tmp_path) is None
    assert "there already, 4 games" in said[-1]
    assert len(files.requests) == 2


def test_a_damaged_pack_is_not_taken_for_there(files: Files, tmp_path: Path) -> None:
    (tmp_path / PACK).write_bytes(b"half a pack")
    assert Said().refusal(files, tmp_path).code == "data_corrupt"


def test_a_cut_connection_goes_on_where_it_was_cut(files: Files, tmp_path: Path) -> None:
    files.cuts = [1000]
    assert Said().fetch(files, tmp_path) == 4
    assert files.requests[:2] == [(f"/{GAMES}", ""), (f"/{GAMES}", "bytes=1000-")]


def test_the_command_given_again_goes_on(files: Files, tmp_path: Path) -> None:
    files.cuts = [len(files.content[f"/{GAMES}"]), 300] + [0] * 10
    said = Said()
    assert said.refusal(files, tmp_path).code == "download_failed"
    files.cuts, files.requests = [], []
    assert said.fetch(files, tmp_path) == 4
    assert files.requests == [(f"/{TRAJECTORIES}", "bytes=300-")]


def test_checksums_are_recorded_and_hold_for_the_next_time(files: Files, tmp_path: Path) -> None:
    said = Said()
    said.fetch(files, tmp_path)
    record = orjson.loads((tmp_path / RECORD).read_bytes())
    assert sorted(record) == sorted([GAMES, TRAJECTORIES])
    assert any(record[GAMES] in line for line in said)
    (tmp_path / PACK).unlink()
    files.content[f"/{GAMES}"] = zip_of(members(games()[:1]))
    error = said.refusal(files, tmp_path)
    assert error.code == "data_corrupt"
    assert "checksum" in error.detail
    assert not (tmp_path / PACK).exists()


def test_a_damaged_record_is_named(files: Files, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text("{")
    assert RECORD in Said().refusal(files, tmp_path).detail


def test_an_archive_that_is_not_there_is_named(files: Files, tmp_path: Path) -> None:
    del files.content[f"/{TRAJECTORIES}"]
    error = Said().refusal(files, tmp_path)
    assert error.code == "download_failed"
    assert "404" in error.detail
    assert TRAJECTORIES in error.detail


def test_a_page_instead_of_an_archive_is_refused(files: Files, tmp_path: Path) -> None:
    files.content[f"/{GAMES}"] = b"<html>please log in</html>"
    assert Said().refusal(files, tmp_path).code == "data_corrupt"
    assert not (tmp_path / PACK).exists()
