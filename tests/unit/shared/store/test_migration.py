from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from shared.errors import RestepError
from shared.store import STORE_VERSION, Entry, TrajectoryStore
from shared.store.address import store_url
from shared.store.migration import MIGRATIONS
from shared.store.schema import Base
from tests.support.documents import make_trajectory
from tests.support.refusal import refusal

# What restep made before there were migrations, as its databases describe it.
_LAYOUT_1 = {
    "restep_store": "CREATE TABLE restep_store (version INTEGER NOT NULL, PRIMARY KEY (version))",
    "restep_episodes": """CREATE TABLE restep_episodes (number {number} NOT NULL, run TEXT {c} NOT NULL,
        task_id TEXT {c} NOT NULL, attempt INTEGER NOT NULL, kept BOOLEAN NOT NULL, trajectory_id TEXT {c} NOT NULL,
        split TEXT {c} NOT NULL, type TEXT {c} NOT NULL, success BOOLEAN NOT NULL, score FLOAT NOT NULL,
        steps INTEGER NOT NULL, ended TEXT NOT NULL, created TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (number), UNIQUE (run, task_id, attempt))""",
    "restep_episodes_by_id": "CREATE INDEX restep_episodes_by_id ON restep_episodes (trajectory_id)",
    "restep_failures": """CREATE TABLE restep_failures (run TEXT {c} NOT NULL, task_id TEXT {c} NOT NULL,
        attempt INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, tries INTEGER NOT NULL,
        first_failed TEXT NOT NULL, last_failed TEXT NOT NULL, PRIMARY KEY (run, task_id, attempt))""",
}


@contextmanager
def connected(place: str) -> Generator[Connection]:
    engine = create_engine(store_url(place))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def make_layout_1(place: str, *names: str) -> None:
    with connected(place) as connection:
        postgresql = connection.dialect.name == "postgresql"
        words = {"number": "SERIAL" if postgresql else "INTEGER", "c": 'COLLATE "C"' if postgresql else ""}
        for name in names or _LAYOUT_1:
            connection.execute(text(_LAYOUT_1[name].format(**words)))
        connection.execute(text("INSERT INTO restep_store VALUES (1)"))


def test_a_store_of_the_first_layout_is_brought_up_to_date_with_all_it_holds(place: str) -> None:
    make_layout_1(place)
    held = make_trajectory("a/1")
    with connected(place) as connection:
        connection.execute(
            text("""INSERT INTO restep_episodes (run, task_id, attempt, kept, trajectory_id, split, type, success, score,
            steps, ended, created, document)
            VALUES ('run', 'a/1', 0, true, :id, 'train', 't', true, 1.0, 2, 'done', '2026', :document)"""),
            {"id": held.id, "document": held.dumps().decode()},
        )
        connection.execute(text("INSERT INTO restep_failures VALUES ('run', 'a/2', 0, 'internal', 'why', 2, 'then', 'now')"))
    with TrajectoryStore(place) as store:
        assert list(store.trajectories("run")) == [held]
        assert [failure.tries for failure in store.failures("run")] == [2]
        assert store.plan("run", [("a/1", 0), ("a/2", 0)]) == 1
        assert store.claim("run", "me", 5, 60) == [("a/2", 0)]
        assert store.commit(make_trajectory("a/2"), kept=True, owner="me")


def make_layout(place: str, number: int) -> None:
    """By the scripts that made it when it was the newest."""
    with connected(place) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, f"layout_{number}")
        connection.execute(text("INSERT INTO restep_store VALUES (:number)"), {"number": number})


@pytest.mark.parametrize("layout", range(1, STORE_VERSION))
def test_a_store_of_any_older_layout_takes_whatever_a_new_one_does(place: str, layout: int) -> None:
    make_layout(place, layout)
    with TrajectoryStore(place, read_only=True) as store:
        assert store.summaries() == {}
    with TrajectoryStore(place) as store:
        assert store.plan("run", [("a/1", 0)]) == 1
        books = store.books("teacher")
        books.enter(Entry(0.0, "run", "judge", "answered", prompt_tokens=7))
        assert (books.tally().tokens, books.keep("k", "said")) == (7, "said")
        assert store.commit(make_trajectory("a/1"), kept=True)
    with connected(place) as connection:
        assert connection.execute(text("SELECT version FROM restep_store")).scalars().all() == [STORE_VERSION]


def test_what_is_planned_in_a_store_of_the_second_layout_stays(place: str) -> None:
    make_layout(place, 2)
    with connected(place) as connection:
        connection.execute(text("INSERT INTO restep_units (run, task_id, attempt, position) VALUES ('run', 'a/2', 1, 0)"))
    with TrajectoryStore(place) as store:
        assert store.claim("run", "me", 5, 60) == [("a/2", 1)]


@pytest.mark.parametrize("names", [["restep_store"], ["restep_store", "restep_episodes"]])
def test_a_store_that_a_kill_left_half_made_is_completed(place: str, names: list[str]) -> None:
    make_layout_1(place, *names)
    with TrajectoryStore(place) as store:
        store.fail("run", "a/1", 0, RestepError("internal"))
        assert store.commit(make_trajectory(), kept=True)


def test_a_new_store_has_the_tables_that_the_code_knows(place: str) -> None:
    TrajectoryStore(place).close()
    with connected(place) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": "restep_migrations"})
        assert compare_metadata(context, Base.metadata) == []


def test_the_version_is_that_of_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == f"layout_{STORE_VERSION}"


def test_a_newer_store_is_refused_and_left_alone(place: str) -> None:
    TrajectoryStore(place).close()
    with connected(place) as connection:
        connection.execute(text("DROP TABLE restep_failures"))
        connection.execute(text("UPDATE restep_store SET version = :version"), {"version": STORE_VERSION + 1})
        before = set(inspect(connection).get_table_names())
    with refusal() as caught:
        TrajectoryStore(place)
    assert f"version {STORE_VERSION + 1}" in caught.value.detail
    with connected(place) as connection:
        assert set(inspect(connection).get_table_names()) == before


def test_who_only_looks_changes_nothing_and_sees_what_an_older_layout_holds(place: str) -> None:
    make_layout_1(place)
    with TrajectoryStore(place, read_only=True) as store:
        assert store.runs() == []
    with connected(place) as connection:
        assert "restep_units" not in inspect(connection).get_table_names()
    TrajectoryStore(place).close()
    with TrajectoryStore(place, read_only=True) as store, refusal() as caught:
        store.commit(make_trajectory(), kept=True)
    assert "read" in caught.value.detail


async def test_threads_may_open_new_stores_at_once(place: str) -> None:
    stores = await asyncio.gather(*(asyncio.to_thread(TrajectoryStore, place) for _ in range(6)))
    assert stores[0].commit(make_trajectory(), kept=True)
    for store in stores:
        assert store.runs() == ["run"]
        store.close()
