"""What can go wrong with a store that is a server: it is not there, it restarts, it does not let us in."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from shared.errors import RestepError
from shared.store import TrajectoryStore
from shared.store.address import PASSWORD_FILE, store_url
from shared.trajectory import Trajectory
from tests.support.documents import make_trajectory
from tests.support.postgres import PostgresServer
from tests.support.refusal import refusal


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_schema()


@pytest.fixture
def store(url: str) -> Generator[TrajectoryStore]:
    with TrajectoryStore(url) as opened:
        yield opened


def end_connections(url: str) -> None:
    """What a restart does to those who are connected, without the restart."""
    engine = create_engine(store_url(url))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
    engine.dispose()


def test_nobody_is_let_in_with_another_password(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("not this one")
    monkeypatch.setenv(PASSWORD_FILE, str(tmp_path / "password"))
    with refusal() as caught:
        TrajectoryStore(url)
    assert "password" in caught.value.detail
    assert "not this one" not in caught.value.detail


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with refusal() as caught:
        TrajectoryStore("postgresql://restep@127.0.0.1:1/restep")
    assert "127.0.0.1" in caught.value.detail


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with refusal("missing_extra") as caught:
        TrajectoryStore("postgresql://restep@127.0.0.1:1/restep")
    assert "restep[postgres]" in caught.value.detail


def test_broken_connections_are_replaced(store: TrajectoryStore, url: str) -> None:
    for index in range(3):
        assert store.commit(make_trajectory(f"a/{index}"), kept=True)
        end_connections(url)
        assert len(store.finished("run")) == index + 1


class Broken:
    """Trajectories; on the way to the last of them, the first time, all connections end."""

    def __init__(self, count: int, end: Callable[[], None]) -> None:
        self.count, self.end, self.passes = count, end, 0

    def __iter__(self) -> Iterator[Trajectory]:
        self.passes += 1
        for index in range(self.count):
            if self.passes == 1 and index == self.count - 1:
                self.end()
            yield make_trajectory(f"a/{index}")


def test_a_connection_that_breaks_within_a_transaction_costs_nothing(store: TrajectoryStore, url: str) -> None:
    trajectories = Broken(3, lambda: end_connections(url))
    assert store.commit_all(trajectories, "run", kept=True) == (3, 0)
    assert trajectories.passes == 2
    assert store.finished("run") == {(f"a/{index}", 0) for index in range(3)}


def test_a_restart_is_waited_for(postgres: PostgresServer, store: TrajectoryStore) -> None:
    store.plan("run", [(f"a/{index}", 0) for index in range(60)])
    finished: list[str] = []
    errors: list[RestepError] = []

    def work() -> None:
        try:
            while units := store.claim("run", "me", 1, 60):
                finished.extend(unit[0] for unit in units if store.commit(make_trajectory(unit[0]), kept=True, owner="me"))
                time.sleep(0.01)
        except RestepError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while len(finished) < 5:
        time.sleep(0.01)
    postgres.stop("immediate")
    time.sleep(0.3)
    postgres.start()
    thread.join()
    assert not errors
    assert sorted(finished) == sorted(task_id for task_id, _ in store.finished("run"))
    assert store.unfinished("run") + len(finished) == 60


def test_patience_ends(postgres: PostgresServer, url: str) -> None:
    with TrajectoryStore(url, patience=0.5) as store:
        assert store.commit(make_trajectory("a/1"), kept=True)
        postgres.stop()
        try:
            with refusal():
                store.commit(make_trajectory("a/2"), kept=True)
        finally:
            postgres.start()
        assert store.commit(make_trajectory("a/2"), kept=True)
