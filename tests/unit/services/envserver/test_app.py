"""The application in this process: every route's translation, and every failure as a problem document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from services.envserver.app import create_app
from services.envserver.limits import MAX_ACTION_CHARS
from services.http.limits import MAX_BODY_BYTES
from shared.errors import ERRORS, PROBLEM_MEDIA_TYPE, PROBLEM_TYPE, RestepError
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar
from tests.support.waiting import until
from tests.unit.services.envserver.conftest import Serve

NEAR = {"task_id": "cellar/1"}


def problem(response: httpx.Response, code: str) -> dict[str, Any]:
    """The problem document of ``response``, checked for form."""
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    body: dict[str, Any] = response.json()
    kind = ERRORS[code]
    assert body["code"] == code
    assert body["type"] == PROBLEM_TYPE + code
    assert body["title"] == kind.title
    assert body["status"] == response.status_code == kind.status
    assert body["retryable"] == kind.retryable
    assert ("retry-after" in response.headers) == (response.status_code in (429, 503))
    return body


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/nowhere", None, "route_not_found"),
        ("GET", "/v1/sessions/", None, "route_not_found"),
        ("GET", "/v1/sessions/a%2Fb", None, "route_not_found"),
        ("PATCH", "/v1/tasks", None, "method_not_allowed"),
        ("GET", "/v1/tasks?limit=0", None, "invalid_request"),
        ("GET", "/v1/tasks?offset=-1", None, "invalid_request"),
        ("GET", "/v1/tasks?limit=many", None, "invalid_request"),
        ("GET", "/v1/tasks?split=nowhere", None, "unknown_split"),
        ("GET", "/v1/sessions/never", None, "session_not_found"),
        ("GET", "/v1/sessions/a/expert", None, "expert_disabled"),
        ("POST", "/v1/sessions/never/fork", b"", "session_not_found"),
        ("PUT", "/v1/sessions/-bad-", b'{"task_id": "cellar/1"}', "invalid_request"),
        ("PUT", "/v1/sessions/b", b"", "malformed_json"),
        ("PUT", "/v1/sessions/b", b"{", "malformed_json"),
        ("PUT", "/v1/sessions/b", b"\xff\xfe", "malformed_json"),
        ("PUT", "/v1/sessions/b", b"[" * 100_000, "malformed_json"),
        ("PUT", "/v1/sessions/b", b"[]", "invalid_request"),
        ("PUT", "/v1/sessions/b", b"null", "invalid_request"),
        ("PUT", "/v1/sessions/b", b"{}", "invalid_request"),
        ("PUT", "/v1/sessions/b", b'{"task_id": "cellar/77"}', "unknown_task"),
        ("PUT", "/v1/sessions/b", b'{"split": "x", "index": 0}', "unknown_split"),
        ("PUT", "/v1/sessions/b", b'{"task_id": "cellar/1", "options": {"a": "b"}}', "invalid_option"),
        ("PUT", "/v1/sessions/b", b'{"task_id": "cellar/1", "sed": 1}', "invalid_request"),
        ("PUT", "/v1/sessions/b", b'{"task_id": "cellar/1", "max_steps": 0}', "invalid_request"),
        ("PUT", "/v1/sessions/b", b'{"task_id": "cellar/1", "include": ["gold"]}', "invalid_request"),
        ("POST", "/v1/sessions", b'{"task_id": "cellar/1", "session_id": "?"}', "invalid_request"),
        ("POST", "/v1/sessions/a/steps", b'{"seq": 0, "action": "x"}', "invalid_request"),
        ("POST", "/v1/sessions/a/steps", b'{"seq": 1}', "invalid_request"),
        ("POST", "/v1/sessions/a/steps", b'{"seq": 1, "action": "\\ud800"}', "malformed_json"),
        ("POST", "/v1/sessions/a/steps", b'{"seq": 2, "action": "x"}', "step_gap"),
        ("POST", "/v1/sessions/a/fork", b'{"at_seq": 5}', "step_gap"),
        ("POST", "/v1/steps", b'{"steps": []}', "invalid_request"),
    ],
)
async def test_bad_requests_are_problems(serve: Serve, method: str, path: str, body: bytes | None, code: str) -> None:
    async with serve() as client:
        await client.put("/v1/sessions/a", json=NEAR)
        response = await client.request(method, path, content=body)
        found = problem(response, code)
        assert found["instance"].startswith("/")
        assert (await client.get("/v1/sessions/a")).status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/v1/tasks", "GET"), ("/v1/sessions", "GET, POST"), ("/v1/sessions/a", "DELETE, GET, PUT"), ("/v1/steps", "POST")],
)
async def test_a_wrong_method_says_which_are_right(serve: Serve, path: str, allowed: str) -> None:
    async with serve() as client:
        response = await client.patch(path)
        problem(response, "method_not_allowed")
        assert response.headers["allow"] == allowed


async def test_a_validation_problem_names_fields_and_echoes_no_values(serve: Serve) -> None:
    async with serve() as client:
        body = {"task_id": 5, "seed": "hush-hush", "more": 1}
        found = problem(await client.put("/v1/sessions/a", json=body), "invalid_request")
        assert "seed" in found["detail"]
        assert "task_id" in found["detail"]
        assert "hush" not in found["detail"]


async def test_oversize_actions_and_bodies_are_413(serve: Serve) -> None:
    async with serve() as client:
        await client.put("/v1/sessions/a", json=NEAR)
        step = "/v1/sessions/a/steps"
        problem(await client.post(step, json={"seq": 1, "action": "x" * (MAX_ACTION_CHARS + 1)}), "action_too_large")
        problem(await client.post(step, json={"seq": 1, "action": "x" * 1_000_000}), "action_too_large")
        problem(await client.post(step, json={"seq": 1, "action": "x" * MAX_BODY_BYTES}), "body_too_large")
        assert (await client.post(step, json={"seq": 1, "action": "x" * MAX_ACTION_CHARS})).status_code == 200


async def test_chunked_bodies_are_counted_before_they_are_parsed(serve: Serve) -> None:
    async def chunks(count: int) -> AsyncGenerator[bytes]:
        for _ in range(count):
            yield b" " * 65_536

    async with serve() as client:
        problem(await client.put("/v1/sessions/a", content=chunks(100)), "body_too_large")
        problem(await client.put("/v1/sessions/a", content=chunks(2)), "malformed_json")


async def test_an_unexpected_exception_is_internal_and_logged_but_not_shown(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve() as client:
        await client.put("/v1/sessions/a", json=NEAR)
        response = await client.post("/v1/sessions/a/steps", json={"seq": 1, "action": "trip over a bug"})
        problem(response, "internal")
        assert "secret" not in response.text
        assert "ZeroDivisionError" not in response.text
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info is not None for record in logged] == [True]
    assert "a secret of the server" in caplog.text


async def test_put_and_post_create_and_repeat(serve: Serve) -> None:
    async with serve() as client:
        first = await client.put("/v1/sessions/a", json=NEAR)
        again = await client.put("/v1/sessions/a", json=NEAR)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() | {"expires_in": 0} == again.json() | {"expires_in": 0}
        problem(await client.put("/v1/sessions/a", json={**NEAR, "seed": 1}), "session_conflict")
        named = await client.post("/v1/sessions", json={**NEAR, "session_id": "b"})
        assert named.json()["session_id"] == "b"
        assert (await client.post("/v1/sessions", json={**NEAR, "session_id": "b"})).status_code == 200
        made = [(await client.post("/v1/sessions", json=NEAR)).json()["session_id"] for _ in range(2)]
        assert len({*made, "a", "b"}) == 4


async def test_lease_capacity_and_queue_answers_say_when_to_come_back(serve: Serve, cellar: Cellar) -> None:
    async with serve(capacity=1, queue=1) as client:
        await client.put("/v1/sessions/a", json=NEAR)
        problem(await client.put("/v1/sessions/b", json=NEAR), "over_capacity")
        cellar.gate = asyncio.Event()
        step = "/v1/sessions/a/steps"
        held = asyncio.create_task(client.post(step, json={"seq": 1, "action": "go east"}))
        await until(lambda: cellar.running)
        problem(await client.post(step, json={"seq": 2, "action": "go east"}), "queue_full")
        cellar.gate.set()
        assert (await held).status_code == 200


async def test_delete_then_gone(serve: Serve) -> None:
    async with serve() as client:
        await client.put("/v1/sessions/a", json=NEAR)
        for _ in range(2):
            response = await client.delete("/v1/sessions/a")
            assert (response.status_code, response.content) == (204, b"")
        assert (await client.delete("/v1/sessions/never")).status_code == 204
        problem(await client.get("/v1/sessions/a"), "session_gone")
        problem(await client.post("/v1/sessions/a/steps", json={"seq": 1, "action": "x"}), "session_gone")
        problem(await client.put("/v1/sessions/a", json=NEAR), "session_gone")


async def test_environment_and_tasks(serve: Serve) -> None:
    async with serve() as client:
        info = (await client.get("/v1/environment")).json()
        assert info["name"] == "cellar"
        assert info["sessions"] == 0
        page = (await client.get("/v1/tasks?split=train&type=near&offset=1&limit=2")).json()
        assert [task["id"] for task in page["tasks"]] == ["cellar/1", "cellar/5"]
        assert page["total"] == 6


async def test_the_token_guards_everything_but_the_probes(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("tö-ken\n")
    async with serve(token_file=tmp_path / "token") as client:
        for path in ("/v1/environment", "/v1/sessions", "/metrics", "/openapi.json", "/docs", "/nowhere"):
            response = await client.get(path)
            problem(response, "unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer", "Bearer x", "Basic tö-ken", "tö-ken", "Bearer tö-ken2"):
            problem(await client.get("/v1/environment", headers={b"authorization": wrong.encode()}), "unauthorized")
        for right in ("Bearer tö-ken", "bearer tö-ken"):
            assert (await client.get("/v1/environment", headers={b"authorization": right.encode()})).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200


async def test_a_token_file_that_is_missing_or_empty_stops_the_server(cellar: Cellar, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    for name in ("empty", "missing"):
        with pytest.raises(RestepError, match="token file"):
            create_app(cellar, EnvironmentSettings(token_file=tmp_path / name))


async def test_probes_tell_starting_from_ready_from_draining(cellar: Cellar) -> None:
    class Slow(Cellar):
        loaded = asyncio.Event()

        async def start(self) -> None:
            await self.loaded.wait()

    slow = Slow()
    app = create_app(slow, EnvironmentSettings(), wait=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client,
    ):
        assert (await client.get("/healthz")).json()["status"] == "ok"
        problem(await client.get("/readyz"), "not_ready")
        problem(await client.get("/v1/environment"), "not_ready")
        assert (await client.get("/metrics")).status_code == 200
        slow.loaded.set()
        await app.state.service.started()
        assert (await client.get("/readyz")).json()["status"] == "ok"
        await app.state.service.drain()
        problem(await client.get("/readyz"), "draining")
        problem(await client.put("/v1/sessions/a", json=NEAR), "draining")
        assert (await client.get("/healthz")).json()["status"] == "ok"


async def test_the_expert_speaks_only_where_enabled(serve: Serve) -> None:
    async with serve(expert=True) as client:
        await client.put("/v1/sessions/a", json=NEAR)
        advice = (await client.get("/v1/sessions/a/expert")).json()
        assert advice["actions"] == ["go east", "take key", "go west", "open door"]
        assert "expert" in (await client.get("/v1/environment")).json()["capabilities"]


async def test_metrics_show_sessions_steps_latency_and_the_engine(serve: Serve) -> None:
    async with serve() as client:
        await client.put("/v1/sessions/a", json=NEAR)
        await client.post("/v1/sessions/a/steps", json={"seq": 1, "action": "go east"})
        await client.get("/anything/else")
        text = (await client.get("/metrics")).text
        for line in (
            "restep_sessions 1.0",
            "restep_steps_total 1.0",
            "restep_engine_open_episodes 1.0",
            'restep_request_seconds_count{method="POST",route="/v1/sessions/{session_id}/steps",status="200"} 1.0',
            'restep_request_seconds_count{method="(none)",route="(none)",status="404"} 1.0',
        ):
            assert line in text.splitlines()


async def test_two_applications_in_one_process_do_not_meet(serve: Serve) -> None:
    async with serve() as first, serve() as second:
        await first.put("/v1/sessions/a", json=NEAR)
        problem(await second.get("/v1/sessions/a"), "session_not_found")
        assert "restep_sessions 0.0" in (await second.get("/metrics")).text.splitlines()


async def test_an_environment_brings_routers_of_its_own(cellar: Cellar, tmp_path: Path) -> None:
    guarded, public = APIRouter(), APIRouter()

    @guarded.get("/v1/wine")
    async def wine() -> str:  # pyright: ignore[reportUnusedFunction]
        return "red"

    @public.get("/")
    async def door() -> str:  # pyright: ignore[reportUnusedFunction]
        return "open"

    (tmp_path / "token").write_text("token")
    settings = EnvironmentSettings(token_file=tmp_path / "token")
    app = create_app(cellar, settings, routers=[guarded], public=[public])
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client,
    ):
        assert (await client.get("/")).json() == "open"
        problem(await client.get("/v1/wine"), "unauthorized")
        problem(await client.get("/v1/environment"), "unauthorized")
        assert (await client.get("/v1/wine", headers={"Authorization": "Bearer token"})).json() == "red"
