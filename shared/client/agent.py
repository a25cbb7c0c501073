"""The client of an agent service: ids in, ids out, and the checkpoint that answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from shared.agent_protocol import AgentInfo, AgentTurn, LoadCheckpoint, ReactStepRequest, Sampling
from shared.client.addresses import Resolve, resolve
from shared.client.endpoint import Endpoint, Report
from shared.client.service import ServiceClient
from shared.client.transport import RetryPolicy, Transport
from shared.client.watch import PROBE_SECONDS
from shared.errors import RestepError

log = logging.getLogger(__name__)

RELOADS: Final = 5
"""How often one call may find another checkpoint served than was loaded, and load it again."""
_GREEDY: Final = Sampling()


class AgentClient(ServiceClient):
    """Talks to one agent service, or to several: any of them answers any request.

    Asking again is always safe: a request without a seed may then be answered by another sample, but only one of them
    is ever seen. After a :meth:`load` no other checkpoint answers: a service that was started again and serves what it was
    started with is given the loaded one again.
    """

    def __init__(
        self,
        base_url: str | Sequence[str],
        token: str | None = None,
        *,
        concurrency: int = 128,
        timeout: float = 300.0,
        retry: RetryPolicy | None = None,
        resolver: Resolve = resolve,
    ) -> None:
        """As any client; an answer takes longer than an engine's step, and more of them are computed together."""
        super().__init__(base_url, token, concurrency=concurrency, timeout=timeout, retry=retry, resolver=resolver)
        self._loaded: tuple[str, str] | None = None
        self._loads = 0
        self._loading = asyncio.Lock()

    async def info(self) -> AgentInfo:
        """Back end, checkpoint, tokenizer hash, context length, chat format and stop ids of what will answer.

        Raises ``unknown_model`` where the loaded checkpoint cannot be had again.
        """
        loads, info = self._loads, await self._anywhere("GET", "/v1/agent", AgentInfo)
        if self._loaded is None or info.model == self._loaded[1]:
            return info
        await self._load_again(*self._loaded, loads)
        return await self._anywhere("GET", "/v1/agent", AgentInfo)

    async def act(self, prompt_ids: Sequence[int], sampling: Sampling = _GREEDY) -> AgentTurn:
        """One answer to a rendered dialogue (generation prompt included).

        Raises ``prompt_too_long``, ``queue_full``, and ``unknown_model`` where the loaded checkpoint cannot be had again.
        """
        asked = ReactStepRequest(prompt_token_ids=list(prompt_ids), **sampling.model_dump())
        reloads = 0
        while True:
            loads, loaded = self._loads, self._loaded
            asked.model = None if loaded is None else loaded[1]
            try:
                return await self._anywhere("POST", "/v1/react/steps", AgentTurn, body=asked)
            except RestepError as error:
                if error.code != "unknown_model" or loaded is None or reloads == RELOADS:
                    raise
            reloads += 1
            await self._load_again(*loaded, loads)

    async def load(self, checkpoint: str) -> AgentInfo:
        """Serve another checkpoint from now on, everywhere.

        Raises ``checkpoint_not_found``, ``unsuitable_model``; the old one stays. Raises ``servers_differ`` when the path is
        not the same checkpoint everywhere.
        """
        async with self._loading:
            return await self._load(checkpoint)

    async def _load(self, checkpoint: str) -> AgentInfo:
        wanted = LoadCheckpoint(path=checkpoint)

        async def at(endpoint: Endpoint) -> AgentInfo:
            return await self._endpoints.ask(endpoint, "POST", "/v1/checkpoint", AgentInfo, body=wanted)

        loaded = await self._endpoints.everywhere(at)
        if len(models := {info.model for info in loaded}) > 1:
            raise RestepError("servers_differ", f"{checkpoint} is {' here, '.join(sorted(models))} there")
        self._loaded = (checkpoint, loaded[0].model)
        self._loads += 1
        return loaded[0]

    async def _load_again(self, checkpoint: str, model: str, loads: int) -> None:
        """Once for all calls that found another one, unless a load has changed what is wanted.

        Raises ``unknown_model`` when the folder holds something else now.
        """
        async with self._loading:
            if self._loads != loads or self._loaded != (checkpoint, model):
                return
            log.warning("another checkpoint is served than %s, which is loaded again", model)
            if (found := (await self._load(checkpoint)).model) != model:
                raise RestepError("unknown_model", f"{checkpoint} held {model} and holds {found} now")

    async def _inquire(self, transport: Transport) -> Report:
        info = await transport.probe("/v1/agent", AgentInfo, PROBE_SECONDS)
        if self._loaded is not None and info.model != self._loaded[1] and not self._loading.locked():
            body = LoadCheckpoint(path=self._loaded[0])
            info = await transport.call("POST", "/v1/checkpoint", AgentInfo, body=body)
        return Report(info.max_batch, info.in_flight, {})
