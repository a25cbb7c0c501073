"""The client of an agent service: ids in, ids out, and the checkpoint that answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from shared.agent_protocol import AgentInfo, AgentTurn, LoadCheckpoint, ReactStepRequest, Sampling
from shared.client.service import ServiceClient
from shared.client.transport import RetryPolicy
from shared.errors import RestepError

log = logging.getLogger(__name__)

RELOADS: Final = 5
"""How often one call may find another checkpoint served than was loaded, and load it again."""
_GREEDY: Final = Sampling()


class AgentClient(ServiceClient):
    """Talks to one agent service.

    Asking again is always safe: a request without a seed may then be answered by another sample, but only one of them
    is ever seen. After a :meth:`load` no other checkpoint answers: a service that was started again and serves what it was
    started with is given the loaded one again.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        concurrency: int = 128,
        timeout: float = 300.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        """As any client; an answer takes longer than an engine's step, and more of them are computed together."""
        super().__init__(base_url, token, concurrency=concurrency, timeout=timeout, retry=retry)
        self._loaded: tuple[str, str] | None = None
        self._loading = asyncio.Lock()

    async def info(self) -> AgentInfo:
        """Back end, checkpoint, tokenizer hash, context length, chat format and stop ids."""
        return await self._transport.call("GET", "/v1/agent", AgentInfo)

    async def act(self, prompt_ids: Sequence[int], sampling: Sampling = _GREEDY) -> AgentTurn:
        """One answer to a rendered dialogue (generation prompt included).

        Raises ``prompt_too_long``, ``queue_full``, and ``unknown_model`` where the loaded checkpoint cannot be had again.
        """
        model = None if self._loaded is None else self._loaded[1]
        asked = ReactStepRequest(prompt_token_ids=list(prompt_ids), model=model, **sampling.model_dump())
        for _ in range(RELOADS):
            try:
                return await self._transport.call("POST", "/v1/react/steps", AgentTurn, body=asked)
            except RestepError as error:
                if error.code != "unknown_model" or self._loaded is None:
                    raise
                await self._load_again(*self._loaded)
        return await self._transport.call("POST", "/v1/react/steps", AgentTurn, body=asked)

    async def load(self, checkpoint: str) -> AgentInfo:
        """Serve another checkpoint from now on. Raises ``checkpoint_not_found``, ``unsuitable_model``; the old one stays."""
        info = await self._transport.call("POST", "/v1/checkpoint", AgentInfo, body=LoadCheckpoint(path=checkpoint))
        self._loaded = (checkpoint, info.model)
        return info

    async def _load_again(self, checkpoint: str, model: str) -> None:
        """Once for all calls that found another one. Raises ``unknown_model`` when the folder holds something else now."""
        async with self._loading:
            served = (await self.info()).model
            if served == model or self._loaded != (checkpoint, model):
                return
            log.warning("%s serves %s; %s is loaded again", self.base_url, served, model)
            if (found := (await self.load(checkpoint)).model) != model:
                raise RestepError("unknown_model", f"{checkpoint} held {model} and holds {found} now")
