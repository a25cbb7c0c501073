"""A download is whole or not there, and what came before a cut is not asked for again."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.download import ATTEMPTS, Fetched, download
from shared.errors import RestepError
from tests.support.file_server import Files, file_server

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def files() -> Iterator[Files]:
    with file_server() as served:
        served.content["/a.zip"] = CONTENT
        yield served


def fetch(files: Files, folder: Path, sha256: str | None = None) -> Fetched:
    return download(f"{files.url}/a.zip", folder / "a.zip", sha256=sha256, say=lambda _: None, pause=0.0)


def refused(files: Files, folder: Path, sha256: str | None = None) -> RestepError:
    with pytest.raises(RestepError) as raised:
        fetch(files, folder, sha256)
    return raised.value


def test_a_file_arrives_whole(files: Files, tmp_path: Path) -> None:
    fetched = fetch(files, tmp_path, SHA256)
    assert (fetched.sha256, fetched.size) == (SHA256, len(CONTENT))
    assert fetched.path.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_file_that_is_there_is_not_asked_for_again(files: Files, tmp_path: Path) -> None:
    fetch(files, tmp_path)
    fetch(files, tmp_path, SHA256)
    assert len(files.requests) == 1


def test_a_cut_connection_goes_on_where_it_was_cut(files: Files, tmp_path: Path) -> None:
    files.cuts = [300_000, 200_000]
    assert fetch(files, tmp_path).sha256 == SHA256
    asked = [range for _, range in files.requests]
    assert asked == ["", "bytes=300000-", "bytes=500000-"]


def test_a_connection_may_be_cut_any_number_of_times_as_long_as_something_comes(files: Files, tmp_path: Path) -> None:
    files.cuts = [100_000] * 9
    assert fetch(files, tmp_path).sha256 == SHA256
    assert len(files.requests) == 10 > ATTEMPTS * 2


def test_a_later_call_goes_on_from_what_an_earlier_one_left(files: Files, tmp_path: Path) -> None:
    files.cuts = [300_000] + [0] * ATTEMPTS
    error = refused(files, tmp_path)
    assert error.code == "download_failed"
    assert "0.3 MB are kept" in error.detail
    assert not (tmp_path / "a.zip").exists()
    assert fetch(files, tmp_path).sha256 == SHA256
    assert files.requests[-1] == ("/a.zip", "bytes=300000-")


def test_a_file_that_changed_between_the_calls_is_not_mixed(files: Files, tmp_path: Path) -> None:
    files.cuts = [300_000] + [0] * ATTEMPTS
    refused(files, tmp_path)
    files.content["/a.zip"] = CONTENT[::-1]
    assert fetch(files, tmp_path).path.read_bytes() == CONTENT[::-1]


def test_a_part_of_another_address_is_not_used(files: Files, tmp_path: Path) -> None:
    files.cuts = [300_000] + [0] * ATTEMPTS
    refused(files, tmp_path)
    files.content["/b.zip"] = CONTENT
    download(f"{files.url}/b.zip", tmp_path / "a.zip", say=lambda _: None, pause=0.0)
    assert files.requests[-1] == ("/b.zip", "")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(files: Files, tmp_path: Path) -> None:
    files.ranges = False
    files.cuts = [300_000]
    assert fetch(files, tmp_path).path.read_bytes() == CONTENT


def test_a_part_that_is_longer_than_the_file_is_thrown_away(files: Files, tmp_path: Path) -> None:
    files.cuts = [300_000] + [0] * ATTEMPTS
    refused(files, tmp_path)
    part = tmp_path / "a.zip.part"
    part.write_bytes(CONTENT + b"more")
    assert fetch(files, tmp_path, SHA256).size == len(CONTENT)


def test_a_wrong_checksum_leaves_nothing(files: Files, tmp_path: Path) -> None:
    error = refused(files, tmp_path, "0" * 64)
    assert error.code == "data_corrupt"
    assert SHA256[:16] in error.detail
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_refused_at_once(files: Files, tmp_path: Path) -> None:
    del files.content["/a.zip"]
    error = refused(files, tmp_path)
    assert error.code == "download_failed"
    assert "404" in error.detail
    assert len(files.requests) == 1


def test_a_busy_server_is_asked_again(files: Files, tmp_path: Path) -> None:
    files.statuses = [503, 429]
    assert fetch(files, tmp_path).sha256 == SHA256


def test_a_server_that_stays_busy_is_given_up(files: Files, tmp_path: Path) -> None:
    files.statuses = [503] * 20
    assert "503" in refused(files, tmp_path).detail
    assert len(files.requests) == ATTEMPTS


def test_no_server_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    error = refused(Files(url=url), tmp_path)
    assert error.code == "download_failed"
    assert url in error.detail


def test_a_folder_that_cannot_be_written_is_named(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refused(files, tmp_path / "file").code == "data_not_written"


def test_progress_is_said(files: Files, tmp_path: Path) -> None:
    said: list[str] = []
    files.cuts = [300_000]
    download(f"{files.url}/a.zip", tmp_path / "a.zip", say=said.append, pause=0.0)
    assert said == ["a.zip: downloading, 1.0 MB in all", "a.zip: going on at 0.3 MB, 1.0 MB in all"]


def test_a_version_may_be_told_by_date(files: Files, tmp_path: Path) -> None:
    files.dated = True
    files.cuts = [300_000]
    assert fetch(files, tmp_path).sha256 == SHA256
    assert files.requests[1] == ("/a.zip", "bytes=300000-")


def test_a_web_page_is_not_the_file(files: Files, tmp_path: Path) -> None:
    files.pages["/a.zip"] = b"<html>please log in</html>"
    error = refused(files, tmp_path)
    assert error.code == "download_failed"
    assert "web page" in error.detail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("source", "asked"), [("the file", "bytes=1000-"), ("another file", "")])
def test_a_file_goes_on_at_another_address_of_its_source(files: Files, tmp_path: Path, source: str, asked: str) -> None:
    files.content["/b"] = CONTENT
    files.cuts = [1000, *[0] * ATTEMPTS]
    with pytest.raises(RestepError):
        download(f"{files.url}/a.zip", tmp_path / "a", source="the file", say=lambda _: None, pause=0.0)
    files.cuts, files.requests = [], []
    download(f"{files.url}/b", tmp_path / "a", source=source, sha256=SHA256, say=lambda _: None, pause=0.0)
    assert files.requests == [("/b", asked)]
