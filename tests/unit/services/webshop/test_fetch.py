"""The official files come from a server that behaves as Google Drive, or from a mirror; every failure is one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from services.webshop.fetch import FULL, RECORD, SMALL, fetch_catalogue
from shared.errors import RestepError
from tests.support.drive_server import asked, drive_server, refuse, share_large
from tests.support.file_server import Files
from tests.support.wares import human_rows, instruction_rows, product_rows

ROWS = list(product_rows(60))
PRODUCTS, INSTRUCTIONS, HUMAN = (orjson.dumps(rows) for rows in (ROWS, instruction_rows(ROWS), human_rows(ROWS)))
CONTENT = dict(zip(SMALL, (PRODUCTS, INSTRUCTIONS, HUMAN), strict=True))
SMALL_PRODUCTS, FULL_PRODUCTS = SMALL["items_shuffle_1000.json"], FULL["items_shuffle.json"]


@pytest.fixture
def files() -> Iterator[Files]:
    small = dict(zip(SMALL.values(), (PRODUCTS, INSTRUCTIONS, HUMAN), strict=True))
    with drive_server(small, {FULL_PRODUCTS: PRODUCTS, FULL["items_ins_v2.json"]: INSTRUCTIONS}) as served:
        yield served


class Said(list[str]):
    def fetch(self, files: Files, folder: Path, *, full: bool = False, mirror: str | None = None) -> None:
        fetch_catalogue(folder, mirror, self.append, full=full, drive=files.url, pause=0.0)

    def refusal(self, files: Files, folder: Path, *, full: bool = False) -> RestepError:
        with pytest.raises(RestepError) as raised:
            self.fetch(files, folder, full=full)
        return raised.value


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RECORD}


def test_the_small_set_arrives(files: Files, tmp_path: Path) -> None:
    said = Said()
    said.fetch(files, tmp_path)
    assert contents(tmp_path) == CONTENT
    record = orjson.loads((tmp_path / RECORD).read_bytes())
    assert sorted(record) == sorted(SMALL)
    assert all(any(checksum in line for line in said) for checksum in record.values())


def test_large_files_come_from_behind_the_page_that_asks(files: Files, tmp_path: Path) -> None:
    Said().fetch(files, tmp_path, full=True)
    assert contents(tmp_path) == dict(zip(FULL, (PRODUCTS, INSTRUCTIONS, HUMAN), strict=True))
    assert files.requests[:2] == [(asked(FULL_PRODUCTS), ""), (f"{asked(FULL_PRODUCTS)}&confirm=t&uuid=0b1c", "")]


def test_a_cut_connection_goes_on_where_it_was_cut(files: Files, tmp_path: Path) -> None:
    files.cuts = [10**6, 1000, 500]
    Said().fetch(files, tmp_path, full=True)
    assert contents(tmp_path)["items_shuffle.json"] == PRODUCTS
    assert [range for _, range in files.requests[1:4]] == ["", "bytes=1000-", "bytes=1500-"]


def test_a_cut_page_is_asked_for_again(files: Files, tmp_path: Path) -> None:
    files.cuts = [100, 50]
    Said().fetch(files, tmp_path, full=True)
    assert contents(tmp_path)["items_shuffle.json"] == PRODUCTS


def test_the_command_given_again_goes_on_at_another_address(files: Files, tmp_path: Path) -> None:
    files.cuts = [10**6, 2000, *[0] * 20]
    error = Said().refusal(files, tmp_path, full=True)
    assert error.code == "download_failed"
    assert "are kept" in error.detail
    files.cuts, files.requests = [], []
    path = share_large(files, FULL_PRODUCTS, PRODUCTS, uuid="9f")
    Said().fetch(files, tmp_path, full=True)
    assert contents(tmp_path)["items_shuffle.json"] == PRODUCTS
    assert files.requests[1] == (path, "bytes=2000-")


def test_what_is_there_stays(files: Files, tmp_path: Path) -> None:
    (tmp_path / "items_shuffle_1000.json").write_bytes(b"[mine]")
    said = Said()
    said.fetch(files, tmp_path)
    assert (tmp_path / "items_shuffle_1000.json").read_bytes() == b"[mine]"
    assert "is there already" in said[0]
    assert asked(SMALL_PRODUCTS) not in [path for path, _ in files.requests]


def test_checksums_hold_for_the_next_time(files: Files, tmp_path: Path) -> None:
    Said().fetch(files, tmp_path)
    (tmp_path / "items_shuffle_1000.json").unlink()
    files.content[asked(SMALL_PRODUCTS)] = b"[]"
    error = Said().refusal(files, tmp_path)
    assert error.code == "data_corrupt"
    assert "checksum" in error.detail
    assert not (tmp_path / "items_shuffle_1000.json").exists()


def test_a_refusal_is_told_in_the_words_of_drive(files: Files, tmp_path: Path) -> None:
    refuse(files, asked(SMALL_PRODUCTS))
    error = Said().refusal(files, tmp_path)
    assert error.code == "download_failed"
    assert "Quota exceeded" in error.detail
    assert "Too many users" in error.detail


def test_a_page_in_place_of_the_file_is_not_taken_for_it(files: Files, tmp_path: Path) -> None:
    files.cuts = [10**6, 1000]
    refuse_later = f"{asked(FULL_PRODUCTS)}&confirm=t&uuid=0b1c"
    refuse(files, refuse_later)
    error = Said().refusal(files, tmp_path, full=True)
    assert error.code == "download_failed"
    assert "web page" in error.detail
    assert contents(tmp_path) == {}


def test_a_file_that_is_gone_is_named(files: Files, tmp_path: Path) -> None:
    del files.content[asked(SMALL_PRODUCTS)]
    error = Said().refusal(files, tmp_path)
    assert error.code == "download_failed"
    assert SMALL_PRODUCTS in error.detail


def test_what_is_no_json_is_refused(files: Files, tmp_path: Path) -> None:
    files.content[asked(SMALL_PRODUCTS)] = PRODUCTS[:-1]
    error = Said().refusal(files, tmp_path)
    assert error.code == "data_corrupt"
    assert contents(tmp_path) == {}


def test_a_busy_drive_is_asked_again_and_then_given_up(files: Files, tmp_path: Path) -> None:
    files.statuses = [503, 429]
    Said().fetch(files, tmp_path)
    assert contents(tmp_path) == CONTENT
    files.statuses = [503] * 20
    assert "503" in Said().refusal(files, tmp_path / "other").detail


def test_offline_is_one_clear_error(tmp_path: Path) -> None:
    error = Said().refusal(Files(url="http://127.0.0.1:9"), tmp_path)
    assert error.code == "download_failed"
    assert "127.0.0.1:9" in error.detail


def test_a_mirror_has_the_files_by_name(files: Files, tmp_path: Path) -> None:
    files.content |= {f"/mirror/{name}": content for name, content in CONTENT.items()}
    Said().fetch(files, tmp_path, mirror=f"{files.url}/mirror/")
    assert contents(tmp_path) == CONTENT
    assert all(path.startswith("/mirror/") for path, _ in files.requests)


def test_a_folder_that_cannot_be_written_is_named(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Said().refusal(files, tmp_path / "file").code == "data_not_written"
