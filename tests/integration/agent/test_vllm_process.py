"""vLLM's process and the service's: who starts whom, and who ends with whom."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from services.agent.backends.vllm import VllmBackend
from services.agent.settings import AgentSettings
from shared.agent_protocol import Sampling
from shared.client.agent import AgentClient
from shared.serving import bind
from tests.support.server import ROOT, ServerProcess
from tests.support.tiny_adapter import tiny_adapter
from tests.support.tiny_model import tiny_checkpoint
from tests.support.waiting import until, until_true

PYTHON = os.environ.get("RESTEP_VLLM_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="needs vLLM: make vllm, RESTEP_VLLM_PYTHON"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

RUN = "import sys, services.agent.app as app, services.agent.settings as its; sys.exit(app.main(its.AgentSettings()))"
PROMPT = [1, 300, *range(20, 60)]
ENDLESS = Sampling(max_tokens=8, stop_token_ids=[])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny", head=32, spread=0.2)


def serve(checkpoint: Path) -> ServerProcess:
    settings = {"CHECKPOINT": str(checkpoint), "BACKEND": "vllm", "VLLM_PYTHON": os.path.relpath(PYTHON, ROOT), "KV_MIB": "64"}
    return ServerProcess(["-c", RUN], {f"RESTEP_{name}": value for name, value in settings.items()})


async def test_vllm_ends_with_a_service_that_was_killed(checkpoint: Path) -> None:
    with serve(checkpoint) as server:
        async with AgentClient(server.url) as client:
            assert len((await client.act(PROMPT, ENDLESS)).token_ids) == 8
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert len(children) >= 2, "the server and its engine"
        server.process.kill()
        await until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def test_a_model_vllm_cannot_read_ends_the_process_with_one_clear_line(checkpoint: Path, tmp_path: Path) -> None:
    broken = tiny_checkpoint(tmp_path / "broken", head=32)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    server = serve(broken)
    try:
        assert server.process.wait(600) == 1
        last = server.errors().strip().splitlines()[-1]
        assert last.startswith(f"restep: unsuitable_model: {broken}: vLLM ended with exit code")
        assert "safetensor" in last.lower(), "the cause, not that there was one"
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def elsewhere(checkpoint: Path) -> Iterator[str]:
    """A vLLM that somebody else started: its address."""
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RESTEP_", "PYTHON"))}
    environment = {**inherited, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "OMP_NUM_THREADS": "1", "VLLM_NO_USAGE_STATS": "1"}
    options = f"--host 127.0.0.1 --port {port} --model {checkpoint} --dtype float32 --enforce-eager --block-size 32"
    limits = "--max-model-len 256 --kv-cache-memory-bytes 67108864 --enable-lora --max-lora-rank 8"
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", *options.split(), *limits.split(), "--api-key", "secret"]
    process = subprocess.Popen(
        command, cwd="/", env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def test_a_vllm_that_runs_already_is_used_and_given_adapters(checkpoint: Path, elsewhere: str, tmp_path: Path) -> None:
    async with httpx.AsyncClient(base_url=elsewhere) as http:
        await until_true(lambda: _healthy(http))
    (tmp_path / "key").write_text("secret")
    settings = AgentSettings(checkpoint=str(checkpoint), vllm_url=elsewhere, vllm_key_file=tmp_path / "key")
    backend = VllmBackend(settings)
    try:
        base = await backend.load(str(checkpoint))
        assert base.context_length == 256
        plain = await base.generate(PROMPT, ENDLESS)
        skill = await backend.load(str(tiny_adapter(tmp_path / "skill", checkpoint)))
        other = await skill.generate(PROMPT, ENDLESS)
        assert len(plain.token_ids) == len(other.token_ids) == 8
        assert plain.token_ids != other.token_ids
        assert (await base.generate(PROMPT, ENDLESS)).token_ids == plain.token_ids
    finally:
        await backend.stop()


async def _healthy(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health")).is_success
    except httpx.TransportError:
        return False
