"""``restep data`` as a person types it: what it prints, what it writes, and one line for every mistake."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from services.alfworld.fetch import GAMES
from services.alfworld.folder import NAME
from services.webshop.fetch import FULL, SMALL
from tests.support.file_server import Files, file_server
from tests.support.game_layouts import IDS, games, served_archives, write_folder
from tests.support.wares import human_rows, instruction_rows, product_rows


class Restep:
    """The command, with a cache of its own."""

    def __init__(self, cache: Path) -> None:
        self._environment = {name: value for name, value in os.environ.items() if name != "RESTEP_DATA"}
        self._environment["RESTEP_CACHE"] = str(cache)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "trainer.cli", "data", *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environment)

    def says(self, *arguments: str | Path) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def complains(self, *arguments: str | Path) -> str:
        done = self.run(*arguments)
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        return line


@pytest.fixture
def restep(tmp_path: Path) -> Restep:
    return Restep(tmp_path / "cache")


@pytest.fixture
def files() -> Iterator[Files]:
    with served_archives() as served:
        yield served


def test_what_is_embedded_is_checked_without_any_folder(restep: Restep) -> None:
    said = restep.says("check")
    assert re.search(r"alfworld: embedded: 360 games, data version [0-9a-f]{16}\n", said)
    assert "embedded_train 240, embedded_seen 60, embedded_unseen 60" in said
    assert re.search(r"webshop: embedded: 1000 products, data version [0-9a-f]{16}\n", said)
    assert said.endswith("no problems\n")


def test_generated_games_are_checked_and_add_to_each_other(restep: Restep, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert "embedded_train 10" in restep.says("generate", "alfworld", "--scenes", "2", "--seed", "5", "--out", data)
    restep.says("generate", "alfworld", "--scenes", "2", "--seed", "6", "--out", data)
    assert "embedded_train 20" in restep.says("check", "alfworld", "--data", data)


def test_a_generated_shop_is_written_once(restep: Restep, tmp_path: Path) -> None:
    asked = ("generate", "webshop", "--products", "40", "--out", tmp_path)
    assert "40 products, 3 human instructions" in restep.says(*asked)
    assert "is there already" in restep.complains(*asked)


def test_the_official_folder_is_checked_game_by_game(restep: Restep, tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data" / "alfworld" / NAME, games())
    (root / IDS[1] / "game.tw-pddl").write_bytes(b"{")
    done = restep.run("check", "--data", tmp_path / "data")
    assert done.returncode == 1
    assert f"{root}: 4 games, index in {tmp_path / 'cache'}" in done.stdout
    assert "alfworld: train 3, valid_seen 1" in done.stdout
    problems = [line for line in done.stdout.splitlines() if "problem:" in line]
    assert len(problems) == 3
    assert "train: 3550 of the benchmark's 3553 games are missing" in problems[0]
    assert IDS[1] in problems[2]
    assert done.stderr == "restep: 3 problems found [data_corrupt]\n"


def test_a_folder_without_games_is_a_problem(restep: Restep, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = restep.run("check", "alfworld", "--data", tmp_path / "data")
    assert done.returncode == 1
    assert "no games of ALFWorld" in done.stdout
    assert done.stderr == "restep: 1 problem found [data_corrupt]\n"


def test_fetching_goes_on_after_a_cut_and_ends_in_a_sound_pack(restep: Restep, tmp_path: Path, files: Files) -> None:
    files.cuts = [1000]
    said = restep.says("fetch", "alfworld", "--data", tmp_path / "data", "--mirror", files.url)
    assert "going on at" in said
    assert "4 games in" in said
    checked = restep.run("check", "alfworld", "--data", tmp_path / "data")
    assert "alfworld: train 3, valid_seen 1" in checked.stdout
    assert "there already" in restep.says("fetch", "alfworld", "--data", tmp_path / "data", "--mirror", files.url)


def test_an_interrupted_fetch_goes_on_where_it_was(restep: Restep, tmp_path: Path, files: Files) -> None:
    files.cuts = [1000]
    files.stalled.set()
    fetch = ("fetch", "alfworld", "--data", tmp_path, "--mirror", files.url)
    process = restep.start(*fetch)
    part = tmp_path / "alfworld" / "download" / f"{Path(GAMES).name}.part"
    wait_until(part.exists)
    time.sleep(0.3)  # for the bytes behind the headers
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "restep: interrupted; the same command goes on from there\n"
    assert part.stat().st_size == 1000
    files.stalled.clear()
    files.requests.clear()
    assert "4 games in" in restep.says(*fetch)
    assert files.requests[0] == (f"/{GAMES}", "bytes=1000-")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_fetching_offline_is_one_line(restep: Restep, tmp_path: Path) -> None:
    line = restep.complains("fetch", "alfworld", "--data", tmp_path, "--mirror", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9" in line
    assert line.endswith("[download_failed]")


def test_fetching_needs_to_know_where_to(restep: Restep) -> None:
    assert "--data DIR" in restep.complains("fetch", "alfworld")


def test_unknown_names_and_folders_are_named(restep: Restep, tmp_path: Path) -> None:
    assert "no data of 'doom'; there are: alfworld" in restep.complains("check", "doom")
    assert "no data of 'doom'" in restep.complains("fetch", "doom", "--data", tmp_path)
    assert "absent: no such folder [data_not_found]" in restep.complains("check", "--data", tmp_path / "absent")


def test_a_cut_pack_is_one_line(restep: Restep, tmp_path: Path) -> None:
    restep.says("generate", "alfworld", "--scenes", "1", "--out", tmp_path)
    (pack,) = (tmp_path / "alfworld").iterdir()
    pack.write_bytes(pack.read_bytes()[:-5])
    assert pack.name in restep.complains("check", "--data", tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(restep: Restep, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = restep.complains("generate", "alfworld", "--scenes", "1", "--out", tmp_path / "file")
    assert line.endswith("[data_not_written]")
    assert "at least one" in restep.complains("generate", "alfworld", "--scenes", "0", "--out", tmp_path)


def test_a_shop_is_fetched_and_checked(restep: Restep, tmp_path: Path) -> None:
    data = tmp_path / "data"
    rows = list(product_rows(300))
    with file_server() as mirror:
        mirror.content = {
            f"/{name}": orjson.dumps(content)
            for name, content in zip(SMALL, (rows, instruction_rows(rows), human_rows(rows)), strict=True)
        }
        mirror.cuts = [1000]
        said = restep.says("fetch", "webshop", "--data", data, "--mirror", mirror.url)
    assert "items_shuffle_1000.json: going on at" in said
    checked = restep.says("check", "--data", data)
    assert f"webshop: {data / 'webshop'}: 300 products, data version" in checked
    assert "webshop: test " in checked
    assert "alfworld" not in checked
    (data / "webshop" / "items_human_ins.json").unlink()
    assert "1 problem found" in restep.complains("check", "webshop", "--data", data)
    (data / "webshop" / "items_ins_v2_1000.json").write_text("{")
    assert "items_ins_v2_1000.json" in restep.complains("check", "--data", data)


def test_the_full_shop_is_another_set_of_files(restep: Restep, tmp_path: Path) -> None:
    rows = list(product_rows(30))
    with file_server() as mirror:
        mirror.content = {
            f"/{name}": orjson.dumps(content)
            for name, content in zip(FULL, (rows, instruction_rows(rows), human_rows(rows)), strict=True)
        }
        restep.says("fetch", "webshop", "--full", "--data", tmp_path, "--mirror", mirror.url)
    assert ": 30 products" in restep.says("check", "webshop", "--data", tmp_path)


def test_a_folder_without_a_shop_is_a_problem(restep: Restep, tmp_path: Path) -> None:
    assert "1 problem found" in restep.complains("check", "webshop", "--data", tmp_path)
