from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import pytest

from shared.client import EnvironmentClient, RetryPolicy
from shared.errors import RestepError
from tests.support.cellar import Cellar
from tests.support.waiting import until
from tests.unit.shared.client.conftest import QUICK, Serve

IMPATIENT = RetryPolicy(patience=0.2, first_contact=0.2, queueing=0.4, base=0.01, cap=0.02)
_REAL_SLEEP = asyncio.sleep


class Canned:
    """A real HTTP server that gives prepared answers in turn, the last for ever, and remembers the requests."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def answer(status: int, body: bytes | str | RestepError, **headers: str) -> bytes:
    if isinstance(body, RestepError):
        body = body.problem().model_dump_json()
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


PAGE = answer(200, '{"tasks": [], "total": 0, "offset": 0, "limit": 1000}')


@asynccontextmanager
async def canned(*answers: bytes, retry: RetryPolicy = QUICK) -> AsyncGenerator[tuple[EnvironmentClient, Canned]]:
    scripted = Canned(answers)
    async with await asyncio.start_server(scripted.handle, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with EnvironmentClient(url, "secret", retry=retry) as client:
            yield client, scripted


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the client waits between tries, in seconds; the waits themselves take no time."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await _REAL_SLEEP(0)

    monkeypatch.setattr("shared.client.transport._sleep", note)
    return waited


# --- retries -----------------------------------------------------------------------------------------------------


async def test_retry_after_is_waited_for_exactly(waits: list[float]) -> None:
    full = answer(429, RestepError("over_capacity", retry_after=7.5), Retry_After="7")
    leaving = answer(503, RestepError("draining", retry_after=2.5))
    gateway = answer(503, "<html>", Retry_After="4")
    async with canned(full, leaving, gateway, PAGE) as (client, server):
        assert await client.tasks() == []
    assert waits == [7.0, 2.5, 4.0]
    assert len(server.requests) == 4
    assert server.connections == 1


async def test_retry_after_may_be_a_date(waits: list[float]) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=20), usegmt=True)
    async with canned(
        answer(503, "", Retry_After=later), answer(503, "", Retry_After=past), answer(503, "", Retry_After="soon"), PAGE
    ) as (client, _):
        await client.tasks()
    assert 0 < waits[0] <= 20
    assert waits[1] == 0.0
    assert 0 < waits[2] <= QUICK.cap


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_passing_troubles_are_retried_with_growing_waits(waits: list[float], status: int) -> None:
    async with canned(*[answer(status, "busy")] * 6, PAGE) as (client, _):
        assert await client.tasks() == []
    assert len(waits) == 6
    full = [min(QUICK.cap, QUICK.base * 2**n) for n in range(6)]
    assert all(bound / 2 <= waited <= bound for waited, bound in zip(waits, full, strict=True))


@pytest.mark.parametrize("status", [400, 401, 404, 409, 410, 422, 500, 501])
async def test_final_answers_are_not_retried(waits: list[float], status: int) -> None:
    async with canned(answer(status, RestepError("internal", "as it is"))) as (client, server):
        with pytest.raises(RestepError, match="as it is"):
            await client.tasks()
    assert (len(server.requests), waits) == (1, [])


async def test_giving_up_is_bounded_and_raises_the_last_error() -> None:
    async with canned(answer(503, RestepError("draining", "going down")), retry=IMPATIENT) as (client, server):
        with pytest.raises(RestepError, match="going down") as caught:
            await client.tasks()
    assert caught.value.code == "draining"
    assert 1 < len(server.requests) < 50


async def test_a_retry_after_beyond_patience_is_not_begun(waits: list[float]) -> None:
    async with canned(answer(503, RestepError("draining"), Retry_After="3600")) as (client, server):
        with pytest.raises(RestepError) as caught:
            await client.tasks()
    assert (caught.value.code, caught.value.retry_after) == ("draining", 3600.0)
    assert (len(server.requests), waits) == (1, [])


async def test_nobody_listening_is_unreachable_with_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with EnvironmentClient(url, retry=IMPATIENT) as client:
            with pytest.raises(RestepError) as caught:
                await client.info()
    assert caught.value.code == "unreachable"
    assert url in caught.value.detail


async def test_an_answer_that_never_comes_is_a_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with EnvironmentClient(url, timeout=0.05, retry=IMPATIENT) as client:
            with pytest.raises(RestepError) as caught:
                await client.info()
    assert caught.value.code == "timeout"


@pytest.mark.parametrize("address", ["", "localhost:8001", "ftp://host", "http://", "http://host:port", "nonsense"])
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(RestepError) as caught:
        EnvironmentClient(address)
    assert caught.value.code == "unreachable"


# --- answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (answer(200, "<html>hello</html>"), "Invalid JSON"),
        (answer(200, '{"tasks": [], "offset": 0, "limit": 10}'), "total"),
        (answer(200, '{"tasks": [{"id": 1}], "total": 1, "offset": 0, "limit": 10}'), "tasks.0.id"),
        (answer(200, '{"tasks": [], "total": 5, "offset": 0, "limit": 10}'), "5 tasks announced"),
        (answer(200, ""), "/v1/tasks"),
        (answer(404, "not here"), "HTTP 404"),
        (answer(500, "{}"), "HTTP 500"),
        (answer(302, "", Location="http://elsewhere/"), "HTTP 302"),
        (answer(400, RestepError("internal").problem().model_dump_json().replace("internal", "unheard_of")), "unheard_of"),
    ],
)
async def test_what_breaks_the_protocol_is_told(response: bytes, told: str) -> None:
    async with canned(response) as (client, server):
        with pytest.raises(RestepError) as caught:
            await client.tasks()
    assert caught.value.code == "protocol_violation"
    assert told in caught.value.detail
    assert len(server.requests) == 1


async def test_a_step_answered_for_another_is_refused(serve: Serve) -> None:
    async with serve() as url, EnvironmentClient(url) as real, await real.open("cellar/2") as episode:
        view = episode.view
        result = await episode.step("wait")
    wrong = [
        result.model_copy(update={"seq": 2}),
        result.model_copy(update={"action": "drink"}),
        result.model_copy(update={"observation": "something else"}),
    ]
    for given in wrong:
        async with canned(answer(201, view.model_dump_json()), answer(200, given.model_dump_json())) as (client, _):
            played = await client.open("cellar/2")
            with pytest.raises(RestepError) as caught:
                await played.step("wait")
            assert caught.value.code == "protocol_violation"
            assert played.steps == []


async def test_the_token_is_sent(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> None:
    token_file = tmp_path_factory.mktemp("token") / "token"
    token_file.write_text("secret\n")
    async with serve(token_file=token_file) as url:
        async with EnvironmentClient(url, "secret") as client:
            assert (await client.info()).name == "cellar"
        for wrong in (None, "guess"):
            async with EnvironmentClient(url, wrong) as client:
                with pytest.raises(RestepError) as caught:
                    await client.info()
                assert caught.value.code == "unauthorized"


async def test_concurrency_is_bounded_and_connections_are_kept(serve: Serve, cellar: Cellar) -> None:
    cellar.gate = asyncio.Event()
    async with serve() as url, EnvironmentClient(url, concurrency=3) as client:
        episodes = [await client.open("cellar/2") for _ in range(9)]
        steps = [asyncio.create_task(episode.step("wait")) for episode in episodes]
        await until(lambda: cellar.running >= 3)
        cellar.gate.set()
        await asyncio.gather(*steps)
        assert cellar.most_running == 3
    async with canned(PAGE) as (client, server):
        for _ in range(5):
            await client.tasks()
        assert (server.connections, len(server.requests)) == (1, 5)


async def test_a_full_server_is_waited_for_longer_than_one_in_trouble(waits: list[float]) -> None:
    """It is well, and the places of sessions whose owner was killed are free when their leases end."""
    full = answer(429, RestepError("over_capacity"), Retry_After="200")
    async with canned(full, PAGE) as (client, _):
        assert await client.tasks() == []
    assert waits == [200.0]
    async with canned(full, retry=RetryPolicy(queueing=150.0)) as (client, _):
        with pytest.raises(RestepError, match="over_capacity"):
            await client.tasks()
    assert waits == [200.0]


async def test_who_holds_a_place_does_not_wait_for_another_as_long(serve: Serve) -> None:
    async with serve(capacity=1) as url, EnvironmentClient(url, retry=RetryPolicy(patience=0.1)) as client:
        episode = await client.open("cellar/1")
        with pytest.raises(RestepError, match="over_capacity"):
            await episode.fork()
        assert (await episode.step("go east")).seq == 1


async def test_a_full_server_is_waited_for(serve: Serve, waits: list[float]) -> None:
    async with serve(capacity=1) as url, EnvironmentClient(url) as client:
        first = await client.open("cellar/1")
        second = asyncio.create_task(client.open("cellar/2"))
        await until(lambda: bool(waits))
        await first.close()
        assert (await second).view.task.id == "cellar/2"
    assert set(waits) == {5.0}
