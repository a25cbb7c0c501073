"""A real PostgreSQL server for tests, from the machine's own programs, with its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import secrets
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path
from typing import Self

import psycopg
import pytest
from psycopg import sql

from shared.store.address import PASSWORD_FILE

_NAME = "restep"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # a kill of the server loses nothing by it, and tests cut no power
    "max_connections": "60",
    "shared_buffers": "16MB",
}


def programs() -> Path | None:
    """The folder of the newest server on this machine, or None."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(folders[-1]) if folders else shutil.which("initdb")
    return Path(found).parent if found else None


class PostgresServer:
    """One server on a free port, reached with a password; PostgreSQL refuses to run as root, so somebody else runs it."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        assert found is not None
        self._programs, self._folder, self._data = found, folder, folder / "data"
        self.secret = folder / "password"
        self.port = _free_port()
        self._numbers = count()

    def __enter__(self) -> Self:
        self.secret.write_text(secrets.token_hex(8))
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (self._folder, self.secret):
                os.chown(path, user.pw_uid, user.pw_gid)
        arguments = ["--username", _NAME, "--pwfile", str(self.secret), "--auth=scram-sha-256", "--no-sync", "--locale=C.UTF-8"]
        self._run("initdb", "--pgdata", str(self._data), "--encoding=UTF8", *arguments)
        self.start()
        self._watcher = self._watch()
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.kill()
        self._watcher.wait()
        self.stop("immediate")

    def _watch(self) -> subprocess.Popen[bytes]:
        """A server outlives whoever started it, so a process beside it ends it when the tests are killed."""
        stop = shlex.join(self._command("pg_ctl", "stop", "-D", str(self._data), "-m", "immediate"))
        script = f"while kill -0 {os.getpid()}; do sleep 1; done; {stop}; rm -rf {shlex.quote(str(self._folder))}"
        said = subprocess.DEVNULL
        return subprocess.Popen(["sh", "-c", script], start_new_session=True, stdin=said, stdout=said, stderr=said)

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in _SETTINGS.items())
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, "-o", f"-p {self.port} {settings}")

    def stop(self, mode: str = "fast") -> None:
        """End it; ``immediate`` is what a crash leaves behind."""
        self._run("pg_ctl", "stop", "-w", "-D", str(self._data), "-m", mode)

    @property
    def password(self) -> str:
        """What its user is asked for."""
        return self.secret.read_text()

    def url(self, schema: str = "public") -> str:
        """Where a schema is, which for a store is as good as a database of its own; the password is in ``secret``."""
        return f"postgresql://{_NAME}@127.0.0.1:{self.port}/postgres?options=-csearch_path%3D{schema}"

    def new_schema(self) -> str:
        """An empty schema; returns its URL. Made in no time, unlike a database, which is a thousand files."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url(), password=self.password, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = self._command(program, *arguments)
        # The server that stays would hold a pipe open, so what the programs say goes to a file.
        with (self._folder / "said").open("ab") as said:
            done = subprocess.run(command, cwd=self._folder, stdout=said, stderr=said, check=False, timeout=120)
        if done.returncode:
            pytest.fail(f"{program}: {(self._folder / 'said').read_text()[-2000:]}")

    def _command(self, program: str, *arguments: str) -> list[str]:
        somebody = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        return [*somebody, str(self._programs / program), *arguments]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """A server for all tests of the session, its password where stores look for it; skips where none is installed."""
    if programs() is None:
        pytest.skip("no PostgreSQL server on this machine (Debian's package postgresql)")
    # Not below pytest's own folder, into which only its user may look.
    with (
        tempfile.TemporaryDirectory(prefix="restep-postgres-") as folder,
        PostgresServer(Path(folder)) as server,
        pytest.MonkeyPatch.context() as variables,
    ):
        variables.setenv(PASSWORD_FILE, str(server.secret))
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes places for new stores: files, and schemas of a real server."""
    if request.param == "sqlite":
        return lambda: str(tmp_path_factory.mktemp("store") / "store.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_schema


@pytest.fixture
def place(new_place: Callable[[], str]) -> str:
    """Where one new store may be made, in SQLite and in PostgreSQL."""
    return new_place()
