"""A server as a process: announcement, signals, exit codes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.server import ROOT, ServerProcess
from tests.support.waiting import until, until_true

CELLAR = "tests/support/cellar.py"


def run_to_end(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CELLAR, *arguments]
    variables = {"PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)


async def stepping(client: httpx.AsyncClient) -> bool:
    return "restep_pending_steps 1.0" in (await client.get("/metrics")).text


async def leaving(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 503


def test_a_port_in_use_is_one_line_and_an_exit_code() -> None:
    with ServerProcess([CELLAR, "0"]) as server:
        second = run_to_end(str(server.port))
        assert second.returncode == 1
        assert second.stderr == f"restep: port_in_use: 127.0.0.1:{server.port} is in use\n"
        assert second.stdout == ""
        assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_a_missing_token_file_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    ended = run_to_end("0", str(tmp_path / "none"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("restep: data_not_found: token file")
    assert ended.stderr.count("\n") == 1


def test_an_environment_that_cannot_start_is_one_line_and_an_exit_code() -> None:
    ended = run_to_end("0", CELLAR_DATA="nowhere")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "restep: data_not_found: no cellar at nowhere"
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_an_address_that_is_not_ours_is_one_line_and_an_exit_code() -> None:
    ended = run_to_end("0", RESTEP_HOST="192.0.2.1")
    assert ended.returncode == 1
    assert ended.stderr.startswith("restep: unreachable: cannot listen on 192.0.2.1:0")


def test_either_signal_ends_it_well() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with ServerProcess([CELLAR, "0"]) as server:
            server.process.send_signal(number)
            assert server.process.wait(60) == 0
            assert "Traceback" not in server.errors()


async def test_sigterm_drains_what_is_in_flight_and_refuses_the_rest(tmp_path: Path) -> None:
    with ServerProcess([CELLAR, "0"], {"RESTEP_DRAIN_SECONDS": "120"}) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            asked = {"task_id": "cellar/1", "options": {"delay": str(tmp_path / "go")}}
            await client.put("/v1/sessions/a", json=asked)
            step = asyncio.create_task(client.post("/v1/sessions/a/steps", json={"seq": 1, "action": "wait"}))
            await until_true(lambda: stepping(client))
            server.process.send_signal(signal.SIGTERM)
            await until_true(lambda: leaving(client))
            refused = await client.put("/v1/sessions/b", json=asked)
            assert refused.json()["code"] == "draining"
            assert int(refused.headers["retry-after"]) >= 1
            (tmp_path / "go").touch()
            answered = await step
            assert answered.status_code == 200
            assert answered.json()["seq"] == 1
        await until(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0
        assert "Traceback" not in server.errors()


async def test_a_drain_is_bounded_and_a_second_signal_cuts_it_short() -> None:
    for drain_seconds, signals in (("1", 1), ("60", 2)):
        with ServerProcess([CELLAR, "0"], {"RESTEP_DRAIN_SECONDS": drain_seconds}) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
                await client.put("/v1/sessions/a", json={"task_id": "cellar/1", "options": {"delay": "3000"}})
                step = asyncio.create_task(client.post("/v1/sessions/a/steps", json={"seq": 1, "action": "wait"}))
                await until_true(lambda: stepping(client))
                for _ in range(signals):
                    server.process.send_signal(signal.SIGTERM)
                    await until_true(lambda: leaving(client))
                assert server.process.wait(60) == 0
                await asyncio.gather(step, return_exceptions=True)


async def test_the_token_guards_the_socket_too(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ann sesame\nthe-other")
    with ServerProcess([CELLAR, "0", str(tmp_path / "token")]) as server:
        address = f"ws://127.0.0.1:{server.port}/ws"
        with pytest.raises(InvalidStatus, match="403"):
            await connect(address, proxy=None)
        async with connect(address, proxy=None, additional_headers={"Authorization": "Bearer sesame"}) as socket:
            await socket.send('{"type": "state"}')
            assert '"step_count":0' in str(await socket.recv())
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/v1/environment")).status_code == 401
