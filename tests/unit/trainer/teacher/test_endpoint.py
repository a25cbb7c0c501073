import asyncio
import threading
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest

from shared.client.transport import RetryPolicy
from shared.errors import RestepError
from shared.serving import bind
from shared.store import TrajectoryStore
from tests.support.model_server import Act, Cut, Hang, ModelServer, Page, Refuse, Say, Script, model_server
from trainer.dialogue import Message
from trainer.teacher.endpoint import Endpoint
from trainer.teacher.ledger import Ledger, Purpose, Spending
from trainer.teacher.options import Budget

WHY = Purpose("reflected/house", "judge")
ASKED = [Message("system", "Judge."), Message("user", "wait")]
SOON = RetryPolicy(patience=20.0, base=0.001, cap=0.01)


def store_in(folder: Path) -> TrajectoryStore:
    folder.mkdir(exist_ok=True)
    return TrajectoryStore(folder / "store.db")


@asynccontextmanager
async def asking(
    script: Script | Iterable[Act], folder: Path, budget: Budget | None = None, retry: RetryPolicy = SOON, **options: Any
) -> AsyncGenerator[tuple[Endpoint, ModelServer]]:
    with store_in(folder) as store:
        ledger = Ledger(store.books("teacher"), budget)
        async with model_server(script) as server, Endpoint(server.options(**options), ledger, retry) as endpoint:
            yield endpoint, server


async def spent_on(acts: Iterable[Act], folder: Path, **options: Any) -> tuple[str, Spending]:
    """The text that comes in the end, and the books."""
    async with asking(acts, folder, **options) as (endpoint, _):
        reply = await endpoint.complete(endpoint.request(ASKED), WHY)
        return reply.text, endpoint.ledger.spending()


async def refused(acts: Iterable[Act], folder: Path, **options: Any) -> tuple[RestepError, Spending]:
    async with asking(acts, folder, **options) as (endpoint, _):
        with pytest.raises(RestepError) as caught:
            await endpoint.complete(endpoint.request(ASKED), WHY)
        return caught.value, endpoint.ledger.spending()


async def test_a_question_and_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEP_TEACHER_KEY", "secret")
    options: dict[str, Any] = {"extra": {"top_k": 5}, "token_field": "max_completion_tokens", "seed": None}
    async with asking([Say("Fine.", "length")], tmp_path, **options) as (endpoint, server):
        reply = await endpoint.complete(endpoint.request(ASKED), WHY)
    assert (reply.text, reply.model, reply.cut, reply.prompt_tokens, reply.completion_tokens) == (
        "Fine.", "scripted", True, 100, 10,
    )  # fmt: skip
    assert server.keys == ["Bearer secret"]
    assert server.bodies == [
        {
            "model": "scripted",
            "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "wait"}],
            "max_completion_tokens": 1024,
            "temperature": 0.0,
            "top_k": 5,
        }
    ]


async def test_a_key_meant_for_elsewhere_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTEP_TEACHER_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "precious")
    async with asking([Say("Fine.")], tmp_path) as (endpoint, server):
        await endpoint.complete(endpoint.request(ASKED), WHY)
    assert server.keys == ["Bearer none"]


@pytest.mark.parametrize(
    ("output", "sent"),
    [
        ("json_schema", {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}),
        ("json_object", {"type": "json_object"}),
        ("text", None),
    ],
)
async def test_how_an_answer_is_held_to_its_schema(tmp_path: Path, output: str, sent: dict[str, Any] | None) -> None:
    async with asking([], tmp_path, output=output) as (endpoint, _):
        assert endpoint.request(ASKED, ("n", {"type": "object"})).get("response_format") == sent


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Refuse(429), "over_capacity"),
        (Refuse(500), "backend_failed"),
        (Refuse(503), "backend_failed"),
        (Cut(), "unreachable"),
        (Hang(), "timeout"),
    ],
)
async def test_what_may_pass_is_tried_again_until_it_is_answered(tmp_path: Path, failure: Act, code: str) -> None:
    text, spent = await spent_on([failure, failure, Say("Fine.")], tmp_path, timeout=0.5)
    assert (text, spent.requests, spent.unanswered, spent.failures, spent.tokens) == ("Fine.", 3, 2, {}, 110)
    error, spent = await refused([failure] * 9, tmp_path / "again", timeout=0.5, retry=RetryPolicy(patience=0.0))
    assert (error.code, spent.requests, spent.failures) == (code, 1, {code: 1})


async def test_retry_after_is_waited_for_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    acts = [Refuse(429, retry_after="7"), Refuse(503, retry_after="0"), Say("Fine.")]
    async with asking(acts, tmp_path) as (endpoint, _):
        monkeypatch.setattr("trainer.teacher.endpoint._sleep", sleep)
        await endpoint.complete(endpoint.request(ASKED), WHY)
    assert waited == [7.0, 0.0]


async def test_longer_than_the_patience_is_not_waited(tmp_path: Path) -> None:
    error, spent = await refused([Refuse(429, retry_after="3600")], tmp_path)
    assert (error.code, error.retry_after, spent.requests) == ("over_capacity", 3600.0, 1)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (Refuse(401, "Incorrect API key provided: secret"), "unauthorized"),
        (Refuse(403), "unauthorized"),
        (Refuse(404), "unknown_model"),
        (Refuse(400, "response_format is not supported"), "invalid_request"),
        (Refuse(400, "This model's maximum context length is 4096 tokens"), "prompt_too_long"),
        (Refuse(400, code="context_length_exceeded"), "prompt_too_long"),
        (Refuse(429, code="insufficient_quota"), "budget_exhausted"),
        (Page(), "protocol_violation"),
        (Say("Fine.", usage=False), "protocol_violation"),
    ],
)
async def test_what_will_not_pass_is_told_at_once(tmp_path: Path, act: Act, code: str) -> None:
    error, spent = await refused([act], tmp_path)
    assert (error.code, spent.failures) == (code, {code: 1})
    assert "secret" not in str(error)


async def test_nobody_at_the_address_is_told_soon(tmp_path: Path) -> None:
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    server = ModelServer(lambda _: Say(""), url=f"http://127.0.0.1:{port}/v1")
    policy = RetryPolicy(patience=1000.0, first_contact=0.05, base=0.01, cap=0.02)
    with TrajectoryStore(tmp_path / "store.db") as store:
        async with Endpoint(server.options(), Ledger(store.books("teacher")), policy) as endpoint:
            with pytest.raises(RestepError, match="unreachable"):
                await endpoint.complete(endpoint.request(ASKED), WHY)


async def test_no_more_are_sent_at_once_than_allowed(tmp_path: Path) -> None:
    async with asking(lambda _: Say("Fine."), tmp_path, concurrency=3) as (endpoint, server):
        await asyncio.gather(*(endpoint.complete(endpoint.request(ASKED), WHY) for _ in range(12)))
    assert server.most_running == 3


async def test_after_the_budget_nothing_is_sent(tmp_path: Path) -> None:
    async with asking(lambda _: Say("Fine."), tmp_path, Budget(tokens=200)) as (endpoint, server):
        await endpoint.complete(endpoint.request(ASKED), WHY)
        await endpoint.complete(endpoint.request(ASKED), WHY)
        with pytest.raises(RestepError, match=r"budget_exhausted.*220 of 200 tokens"):
            await endpoint.complete(endpoint.request(ASKED), WHY)
    assert len(server.bodies) == 2


class Slow(Ledger):
    """Books in which a line takes until it is let go."""

    began, go = threading.Event(), threading.Event()

    def answered(self, purpose: Purpose, prompt_tokens: int, completion_tokens: int) -> None:
        self.began.set()
        assert self.go.wait(20)
        super().answered(purpose, prompt_tokens, completion_tokens)


async def test_an_answer_is_booked_though_who_asked_has_left(store: TrajectoryStore) -> None:
    ledger = Slow(store.books("teacher"))
    async with model_server([Say("Fine.")]) as server:
        async with Endpoint(server.options(), ledger, SOON) as endpoint:
            asking = asyncio.create_task(endpoint.complete(endpoint.request(ASKED), WHY))
            assert await asyncio.to_thread(ledger.began.wait, 20)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert ledger.spending() == Spending()
            ledger.go.set()
        assert ledger.spending().tokens == 110


async def test_where_a_key_is_missing_it_is_said_which_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTEP_TEACHER_KEY", raising=False)
    error, _ = await refused([Refuse(401)], tmp_path)
    assert f"it wants a key, and RESTEP_TEACHER_KEY is not set on {gethostname()}" in error.detail


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 503])
async def test_a_key_is_told_in_no_error_and_kept_in_no_book(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RESTEP_TEACHER_KEY", "sk-very-secret")
    caplog.set_level("DEBUG", "trainer")
    acts = [Refuse(status, "the key sk-very-secret is over its quota", retry_after="100")] * 9
    error, _ = await refused(acts, tmp_path)
    assert "sk-very-secret" not in f"{error}{caplog.text}"
    assert not holding("sk-very-secret", tmp_path)


def holding(text: str, folder: Path) -> list[Path]:
    """Files of a folder in which a text stands."""
    return [path for path in folder.iterdir() if text.encode() in path.read_bytes()]
