"""The load that is put on a server: every call counted, as many sessions held as asked for, refusals told from failures."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import orjson
import pytest

from benchmarks.episodes import CREATE, STEP, Calls, Player, all_tasks, held
from benchmarks.load import Report, main, server, tables
from benchmarks.overload import Overload, overload
from benchmarks.soak import crowd
from benchmarks.wire import Connection, Reply


def test_calls_are_counted_by_route_and_status() -> None:
    calls, other = Calls(), Calls()
    for milliseconds in range(1, 101):
        calls.note(STEP, Reply(200, None, b""), milliseconds / 1e3)
    calls.note(STEP, Reply(429, "1", b""), 9.0)
    other.note(CREATE, Reply(429, None, b""), 9.0)
    calls.add(other)
    assert calls.by_status() == {200: 100, 429: 2}
    assert calls.retry_after_missing == 1
    (row,) = calls.latencies()
    assert (row.route, row.calls) == (STEP, 100)
    assert 50 < row.p50 < 51
    assert 99 < row.p99 < 100


@pytest.mark.parametrize(
    ("answers", "missing", "wrong", "refused"),
    [({200: 5, 429: 3}, 0, 0, 3), ({200: 5, 503: 1}, 0, 1, 0), ({201: 1, 429: 2}, 2, 2, 2), ({404: 1, 500: 2}, 0, 3, 0)],
)
def test_only_success_and_a_429_that_says_when_to_return_are_right(
    answers: dict[int, int], missing: int, wrong: int, refused: int
) -> None:
    found = Overload(9, 1, 1, {STEP: answers}, missing)
    assert (found.wrong, found.refused) == (wrong, refused)
    failures = Report("alfworld", 1, 1, 10, overload=found).failures()
    assert len(failures) == (wrong > 0) + (refused == 0)


async def test_a_crowd_holds_all_its_sessions_all_the_time() -> None:
    with server("alfworld", 1, 24) as (port, _):
        watcher = await Connection.open(port)
        assert len(set(await all_tasks(watcher))) == 360
        counts: list[int] = []
        async with crowd("alfworld", port, 12, 3) as people:
            playing = asyncio.create_task(people.flat_out(40, 60.0))
            while not playing.done():
                counts.append(await held(watcher))
            await playing
            assert people.finished >= 40
            assert people.player.steps >= 3 * 40
        assert min(counts) >= 12
        assert await held(watcher) == 0
        await watcher.close()


async def test_over_capacity_there_are_only_refusals() -> None:
    with server("alfworld", 1, 2, queue=1) as (port, _):
        found = await overload("alfworld", port, 8, 200, 3)
        assert sum(sum(by_status.values()) for by_status in found.answers.values()) >= 200
        assert found.refused > 0
        assert found.wrong == 0
        watcher = await Connection.open(port)
        assert await held(watcher) == 0
        await watcher.close()


async def test_an_episode_is_the_same_each_time() -> None:
    with server("webshop", 1, 8) as (port, _):
        connection = await Connection.open(port)
        tasks, seen = await all_tasks(connection), list[list[str]]()
        for prefix in ("a", "b"):
            player = Player("webshop", tasks, 5, prefix=prefix)
            playing = await player.begin(connection)
            assert not isinstance(playing, Reply)
            texts = [playing.observation]
            while not playing.over:
                assert await player.step(connection, playing)
                texts.append(playing.observation)
            seen.append(texts)
        assert seen[0] == seen[1]
        assert len(seen[0]) > 2
        await connection.close()


@pytest.mark.slow
def test_the_command_writes_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = "--environment webshop --episodes 60 --sessions 8 --paced 0.2 --think 0.05 --steps 4 --only soak scaling --lanes 4"
    given += f" --scale-episodes 24 --minutes 3 --output {tmp_path}"
    monkeypatch.setattr("sys.argv", ["load", *given.split()])
    monkeypatch.setattr("benchmarks.load.SERVERS", (1, 2))
    assert main() == 0
    document = orjson.loads((tmp_path / "results.json").read_bytes())
    assert document["soak"]["episodes"] >= 60
    assert document["soak"]["fewest"] >= 8
    assert [row["servers"] for row in document["scaling"]] == [1, 2]
    assert len((tmp_path / "memory.jsonl").read_bytes().splitlines()) > 5
    assert (tmp_path / "memory.svg").read_text().startswith("<svg")
    assert "| server |" in capsys.readouterr().out


def test_a_table_says_so_where_nothing_was_measured() -> None:
    assert tables(Report("alfworld", 1, 1, 10)) == ""
    assert dataclasses.asdict(Report("alfworld", 1, 1, 10))["scaling"] == []
