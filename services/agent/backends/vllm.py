"""vLLM as a back end: continuous batching and prefix caching on a GPU or, with its build for processors, without one.

A LoRA adapter is given to the running server, weights of the same shape are exchanged in place between two requests,
and for anything else a second server starts beside the first, which leaves when it has finished what it had accepted.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from services.agent.adapter import Adapter, is_adapter, open_adapter
from services.agent.backends.base import Backend, Generation, Listener, Served
from services.agent.checkpoint import Checkpoint, open_checkpoint
from services.agent.settings import AgentSettings
from services.agent.vllm.client import RETRY_AFTER, Question, VllmClient
from services.agent.vllm.in_place import fits_in_place
from services.agent.vllm.process import context_length, find_vllm
from services.agent.vllm.remote import RemoteServer
from services.agent.vllm.server import Server, Totals
from services.agent.vllm.structured import answer_grammar
from services.agent.vllm.supervised import SupervisedServer
from services.agent.vllm.turnstile import Turnstile
from shared.agent_protocol import AgentInfo, Sampling
from shared.errors import RestepError
from shared.settings import read_token

log = logging.getLogger(__name__)

_LEVELS_SECONDS: Final = 1.0
_SEEDS: Final = 1 << 62


class VllmModel(Served):
    """A checkpoint and the server that answers for it; ``adapter`` is its name there, None for the weights themselves."""

    def __init__(self, checkpoint: Checkpoint, server: Server, context_length: int, adapter: str | None = None) -> None:
        self.checkpoint = checkpoint
        self.context_length = context_length
        self.server = server
        self._base = server.base
        self._adapter = adapter

    async def generate(self, prompt: Sequence[int], sampling: Sampling, listener: Listener | None = None) -> Generation:
        """See :meth:`Served.generate`."""
        room = self.room(prompt)
        stop_ids = self.stop_ids(sampling)
        grammar = self._grammar(sampling, stop_ids)
        if sampling.seed is None:  # so that an answer begun twice goes on as it began
            sampling = sampling.model_copy(update={"seed": random.randrange(_SEEDS)})
        async with self.server.turnstile.turn():
            if self.server.closed or self.server.base is not self._base:
                raise RestepError("not_ready", "this checkpoint has been replaced", retry_after=RETRY_AFTER)
            question = Question(
                model=self._adapter or self.server.base_name(),
                salt=self.checkpoint.model.rpartition("@")[2],
                prompt=prompt,
                max_tokens=min(sampling.max_tokens, room),
                stop_ids=stop_ids,
                sampling=sampling,
                grammar=grammar,
            )
            return await self.server.ask(question, listener)

    def _grammar(self, sampling: Sampling, stop_ids: Sequence[int]) -> str | None:
        if sampling.admissible_actions is None:
            return None
        end: int | None = self.checkpoint.tokenizer.eos_token_id  # pyright: ignore[reportAssignmentType]  # one id, in fact
        if end not in stop_ids:
            raise RestepError("invalid_request", f"a constrained answer ends on the id {end}; stop_token_ids must hold it")
        return answer_grammar(sampling.admissible_actions)


class VllmBackend(Backend):
    """Serves one checkpoint from vLLM: a process of its own, or the server at ``settings.vllm_url``."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._totals = Totals()
        self._loading = asyncio.Lock()
        self._current: VllmModel | None = None
        self._servers: set[Server] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._levels: Mapping[str, float] = {}
        self._watching: asyncio.Task[None] | None = None

    async def load(self, source: str) -> Served:
        """See :meth:`Backend.load`. One at a time; others wait. What is served already is not loaded again."""
        async with self._loading:
            old = self._current
            target = await asyncio.to_thread(_open, source, old.server.base if old else None)
            checkpoint = target.checkpoint if isinstance(target, Adapter) else target
            if old is not None and (checkpoint.folder, checkpoint.model) == (old.checkpoint.folder, old.checkpoint.model):
                return old
            fresh = await (self._attach(target, old) if self._settings.vllm_url else self._supervise(target, old))
            self._current = fresh
            if old is not None:
                self._totals.reloads += 1
                if old.server is not fresh.server:
                    self._in_background(self._retire(old.server))
            if self._watching is None:
                self._watching = asyncio.create_task(self._watch())
            log.info("serving %s from %s", fresh.checkpoint.model, fresh.checkpoint.source)
            return fresh

    async def _attach(self, target: Checkpoint | Adapter, old: VllmModel | None) -> VllmModel:
        """The target on the server that runs elsewhere. Raises ``unsuitable_model`` when its base is not what runs there."""
        base = target.base if isinstance(target, Adapter) else target
        if old is not None and isinstance(old.server, RemoteServer) and _same(old.server.base, base):
            server = old.server
        else:
            server = await RemoteServer.attach(self._client(), base, self._turnstile(), self._totals)
            self._servers.add(server)
        return await self._on(server, target, server.context_length)

    async def _supervise(self, target: Checkpoint | Adapter, old: VllmModel | None) -> VllmModel:
        """The target on a process of ours: the one that runs, where it can take it, or another."""
        base = target.base if isinstance(target, Adapter) else target
        room = context_length(self._settings, base)
        if old is not None and isinstance(old.server, SupervisedServer):
            server = old.server
            if _same(server.base, base) and (isinstance(target, Checkpoint) or server.takes_adapter):
                return await self._on(server, target, room)
            if isinstance(target, Checkpoint) and await asyncio.to_thread(fits_in_place, server.base, target):
                await server.swap(target)
                return VllmModel(target, server, room)
        installation = await find_vllm(self._settings.vllm_python or Path(sys.executable))
        server = SupervisedServer(self._settings, installation, base, self._turnstile(), self._totals)
        await server.start()
        self._servers.add(server)
        try:
            return await self._on(server, target, room)
        except BaseException:
            self._servers.discard(server)
            await server.close()
            raise

    async def _on(self, server: Server, target: Checkpoint | Adapter, room: int) -> VllmModel:
        if isinstance(target, Checkpoint):
            return VllmModel(target, server, room)
        if target.rank > self._settings.lora_rank and not self._settings.vllm_url:
            detail = f"an adapter of rank {target.rank}; the server takes up to {self._settings.lora_rank} (--lora-rank)"
            raise RestepError("unsuitable_model", f"{target.checkpoint.source}: {detail}")
        await server.load_adapter(target.checkpoint.model, target.checkpoint.folder)
        return VllmModel(target.checkpoint, server, room, target.checkpoint.model)

    def _client(self) -> VllmClient:
        url, key_file = self._settings.vllm_url, self._settings.vllm_key_file
        assert url is not None
        return VllmClient(url, timeout=self._settings.answer_seconds, token=None if key_file is None else read_token(key_file))

    def _turnstile(self) -> Turnstile:
        return Turnstile(self._settings.max_batch + self._settings.queue)

    async def _retire(self, server: Server) -> None:
        await server.close()
        self._servers.discard(server)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _watch(self) -> None:
        """Keep the levels fresh: a scrape of ours does not wait for one of vLLM's."""
        while True:
            sums: dict[str, float] = {}
            for server in list(self._servers):
                for name, value in (await server.levels()).items():
                    sums[name] = sums.get(name, 0.0) + value
            self._levels = sums
            await asyncio.sleep(_LEVELS_SECONDS)

    def current(self) -> VllmModel:
        """See :meth:`Backend.current`."""
        if self._current is None:
            raise RestepError("not_ready", "no checkpoint is loaded yet", retry_after=RETRY_AFTER)
        return self._current

    def info(self) -> AgentInfo:
        """See :meth:`Backend.info`."""
        return self.current().info("vllm", self._settings.max_batch)

    async def stop(self) -> None:
        """See :meth:`Backend.stop`."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await asyncio.gather(*self._leaving)
        await asyncio.gather(*(self._retire(server) for server in list(self._servers)))

    def gauges(self) -> Mapping[str, float]:
        """See :meth:`Backend.gauges`. vLLM's own are a second old at most."""
        return {"requests_waiting": 0.0, "sequences_running": 0.0, "kv_cache_used": 0.0, **self._levels}

    def counters(self) -> Mapping[str, float]:
        """See :meth:`Backend.counters`."""
        totals = self._totals
        return {
            "reloads": totals.reloads,
            "requests": totals.requests,
            "prompt_tokens": totals.prompt_tokens,
            "cached_tokens": totals.cached_tokens,
            "generated_tokens": totals.generated_tokens,
            "cancelled": totals.cancelled,
            "asked_again": totals.asked_again,
            "restarts": totals.restarts,
            "busy_seconds": totals.busy_seconds,
        }


def _open(source: str, served: Checkpoint | None) -> Checkpoint | Adapter:
    return open_adapter(source, served) if is_adapter(source) else open_checkpoint(source)


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two checkpoints have the same content, whatever their folders are called."""
    return one.model.rpartition("@")[2] == other.model.rpartition("@")[2]
