"""Every service as a process of its own that wants a token, started as a user starts it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.runs import make_run
from tests.support.server import ServerProcess

SECRET = "s3cr3t-0f-ann"
OTHER = "s3cr3t-0f-b0b"
PER_CLIENT = 3
CAPACITY = 5


@dataclass(frozen=True)
class Subject:
    """A service. ``task`` is one of an environment's, ``body`` a route that takes JSON, ``public`` what needs no token."""

    name: str
    body: tuple[str, str]
    task: str | None = None
    public: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()


PROBES = frozenset({"/healthz", "/readyz"})
SESSIONS = ("PUT", "/v1/sessions/some")
SUBJECTS = (
    Subject("sciworld", SESSIONS, "find-plant/3", flags=("--workers", "1")),
    Subject("alfworld", SESSIONS, "embedded_train/look_at_obj_in_light-AlarmClock-None-DeskLamp-3004/trial_S1_1"),
    Subject("webshop", SESSIONS, "synthetic-3", public=frozenset({"/", "/page/main.js"})),
    Subject("agent", ("POST", "/v1/chat/completions")),
    Subject("viewer", ("POST", "/login"), public=frozenset({"/login", "/logout", "/static/style.css"})),
)


@pytest.fixture(scope="session", params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    chosen: Subject = request.param
    return chosen


@pytest.fixture(scope="session")
def server(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    folder = tmp_path_factory.mktemp(subject.name)
    tokens = written(folder / "tokens", f"ann {SECRET}\nbob {OTHER}\n")
    make_run(folder / "runs")
    limits = {"RESTEP_CAPACITY": str(CAPACITY), "RESTEP_SESSIONS_PER_CLIENT": str(PER_CLIENT), "RESTEP_LOG_LEVEL": "debug"}
    flags = ["--port", "0", "--token-file", str(tokens), *subject.flags]
    command = ["-m", "trainer.cli", "serve", subject.name, *flags]
    with ServerProcess(command, {**limits, "RESTEP_RUNS": str(folder / "runs")}) as running:
        yield running


@pytest.fixture
async def client(server: ServerProcess) -> AsyncGenerator[httpx.AsyncClient]:
    """Without a token; see :func:`bearing`."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as opened:
        yield opened


def written(path: Path, text: str) -> Path:
    """A file only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def bearing(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"authorization": f"Bearer {token}"}


def problem(answer: httpx.Response, code: str, status: int) -> None:
    """The answer is this problem document."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["code"] == code
