"""The agent service as a process, driven by its client: concurrency, reload, overload, restart, signals."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from shared.agent_protocol import Sampling
from shared.client.agent import AgentClient
from shared.client.transport import RetryPolicy
from shared.errors import RestepError
from shared.serving import bind
from tests.support.server import ServerProcess
from tests.support.tiny_model import tiny_checkpoint
from tests.support.waiting import until, until_true

RUN = "import sys, services.agent.app as app, services.agent.settings as its; sys.exit(app.main(its.AgentSettings()))"
PROMPTS = [[1, 300 + n, *range(20, 40 + 3 * n)] for n in range(12)]
ENDLESS = Sampling(max_tokens=20, stop_token_ids=[], logprobs=True)
LONG = Sampling(max_tokens=900, stop_token_ids=[])


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return tiny_checkpoint(folder / "first"), tiny_checkpoint(folder / "second", seed=7)


def serve(checkpoint: Path, **settings: object) -> ServerProcess:
    environment = {f"RESTEP_{name.upper()}": str(value) for name, value in settings.items()}
    return ServerProcess(["-c", RUN], {"RESTEP_CHECKPOINT": str(checkpoint), "RESTEP_KV_MIB": "64", **environment})


async def test_many_at_once_equal_one_by_one_across_a_reload(checkpoints: tuple[Path, Path]) -> None:
    first, second = checkpoints
    with serve(first) as server:
        async with AgentClient(server.url) as client:
            assert (await client.info()).checkpoint == str(first)
            single = [await client.act(prompt, ENDLESS) for prompt in PROMPTS]
            together = await asyncio.gather(*(client.act(prompt, ENDLESS) for prompt in PROMPTS))
            assert [turn.token_ids for turn in together] == [turn.token_ids for turn in single]
            assert all(turn.logprobs and len(turn.logprobs) == 20 for turn in together)

            running = [asyncio.create_task(client.act(prompt, LONG)) for prompt in PROMPTS[:4]]
            await until_true(lambda: _running(server.url, 4))
            loaded = await client.load(str(second))
            assert {turn.model for turn in await asyncio.gather(*running)} == {single[0].model}
            after = await client.act(PROMPTS[0], ENDLESS)
            assert after.model == loaded.model != single[0].model
            assert after.token_ids != single[0].token_ids
            with pytest.raises(RestepError, match="checkpoint_not_found"):
                await client.load(str(first / "absent"))
            assert (await client.info()).model == loaded.model
        assert server.stop() == 0


async def test_an_overloaded_service_is_asked_again(checkpoints: tuple[Path, Path]) -> None:
    with serve(checkpoints[0], max_batch=1, queue=1) as server:
        async with AgentClient(server.url) as client:
            turns = await asyncio.gather(*(client.act(prompt, ENDLESS) for prompt in PROMPTS))
            assert all(len(turn.token_ids) == 20 for turn in turns)
        assert 'status="429"' in await _metrics(server.url), "some were refused at first"


async def test_a_client_outlives_a_killed_service(checkpoints: tuple[Path, Path]) -> None:
    with serve(checkpoints[0]) as server:
        async with AgentClient(server.url, retry=RetryPolicy(patience=200)) as client:
            before = await client.act(PROMPTS[0], ENDLESS)
            server.process.kill()
            server.process.wait()
            asking = asyncio.create_task(client.act(PROMPTS[0], ENDLESS))
            again = await asyncio.to_thread(serve(checkpoints[0], port=server.port).__enter__)
            assert (await asking).token_ids == before.token_ids
            assert again.stop() == 0
            _close(again)


async def test_a_service_that_came_back_with_another_checkpoint_is_given_the_loaded_one(checkpoints: tuple[Path, Path]) -> None:
    """The one it is started with would answer as well, and nobody would know."""
    first, second = checkpoints
    with serve(first) as server:
        async with AgentClient(server.url) as client:
            loaded = await client.load(str(second))
            before = [await client.act(prompt, ENDLESS) for prompt in PROMPTS]
            server.process.kill()
            server.process.wait()
            again = await asyncio.to_thread(serve(first, port=server.port).__enter__)
            assert {turn.model for turn in before} == {loaded.model} != {await _model(server.url)}
            assert (await client.info()).model == loaded.model, "who asks which model plays is told the one that will"
            after = await asyncio.gather(*(client.act(prompt, ENDLESS) for prompt in PROMPTS))
            assert [turn.token_ids for turn in after] == [turn.token_ids for turn in before]
            assert {turn.model for turn in after} == {loaded.model}
            second.rename(second.with_name("kept"))
            first.rename(second)
            async with AgentClient(server.url) as other:
                await other.load(str(second))
            with pytest.raises(RestepError, match=f"unknown_model: {second} held {loaded.model} and holds second@"):
                await client.act(PROMPTS[0], ENDLESS)
            second.rename(first)
            second.with_name("kept").rename(second)
            assert again.stop() == 0
            _close(again)


async def test_sigterm_finishes_what_was_accepted(checkpoints: tuple[Path, Path]) -> None:
    with serve(checkpoints[0], drain_seconds=120) as server:
        async with AgentClient(server.url, retry=RetryPolicy(patience=0)) as client:
            asking = asyncio.create_task(client.act(PROMPTS[0], LONG))
            await until_true(lambda: _running(server.url, 1))
            server.process.send_signal(signal.SIGTERM)
            assert len((await asking).token_ids) == 900
            await until(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0


def test_a_missing_checkpoint_ends_the_process_with_one_clear_line(tmp_path: Path) -> None:
    server = serve(tmp_path / "absent")
    assert server.process.wait(120) == 1
    last = server.errors().strip().splitlines()[-1]
    assert last == f"restep: checkpoint_not_found: {tmp_path / 'absent'} does not exist"
    assert "Traceback" not in server.errors()
    _close(server)


def test_a_port_in_use_ends_the_process_with_one_clear_line(checkpoints: tuple[Path, Path]) -> None:
    taken = bind("127.0.0.1", 0)
    taken.listen()
    server = serve(checkpoints[0], port=taken.getsockname()[1])
    assert server.process.wait(120) == 1
    assert "restep: port_in_use" in server.errors()
    _close(server)
    taken.close()


async def _running(url: str, count: int) -> bool:
    return f"restep_agent_sequences_running {count}.0" in await _metrics(url)


async def _model(url: str) -> str:
    async with AgentClient(url) as client:
        return (await client.info()).model


async def _metrics(url: str) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{url}/metrics")).text


def _close(server: ServerProcess) -> None:
    server.__exit__(None, None, None)
