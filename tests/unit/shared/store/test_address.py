from __future__ import annotations

from pathlib import Path

import pytest

from shared.store import TrajectoryStore
from shared.store.address import PASSWORD_FILE, names_password, store_url, without_password
from tests.support.refusal import refusal


def test_wrong_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "missing" / "store.db", tmp_path / "file" / "store.db", "sqlite://", ":memory:"):
        with refusal():
            TrajectoryStore(place)
    for url in ("nonsense://host/db", "://", "postgresql+nodriver://host/db"):
        with refusal():
            TrajectoryStore(url)


def test_a_password_is_not_shown() -> None:
    with refusal() as caught:
        TrajectoryStore("sqlite+missingdriver://user:secret@host/db")
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_reached_by_the_driver_that_we_install(scheme: str) -> None:
    assert store_url(f"{scheme}://host/db").drivername == "postgresql+psycopg"


def test_other_databases_are_refused() -> None:
    with refusal() as caught:
        store_url("oracle://host/db")
    assert "SQLite or PostgreSQL" in caught.value.detail


def test_a_password_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("sesame\n")
    monkeypatch.setenv(PASSWORD_FILE, str(file))
    assert store_url("postgresql://me@host/db").password == "sesame"
    assert store_url("postgresql://me:mine@host/db").password == "mine"
    file.unlink()
    with refusal("data_not_found") as caught:
        store_url("postgresql://me@host/db")
    assert str(file) in caught.value.detail


def test_what_is_shown_of_an_address_opens_the_store_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    monkeypatch.setenv(PASSWORD_FILE, str(file))
    url = store_url("postgresql://restep@db:5433/restep?sslmode=require")
    shown = without_password(url)
    assert "secret" not in shown
    assert store_url(shown) == url


def test_a_password_in_an_address_is_noticed() -> None:
    assert names_password("postgresql://me:mine@host/db")
    assert names_password("postgresql://host/db?user=me&password=mine")
    assert not names_password("postgresql://me@host/db")
    assert not names_password("runs/a:b@c/store.db")
