"""The client of an agent service: ids in, ids out, and the checkpoint that answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.agent_protocol import AgentInfo, AgentTurn, LoadCheckpoint, ReactStepRequest, Sampling
from shared.client.service import ServiceClient
from shared.client.transport import RetryPolicy

_GREEDY: Final = Sampling()


class AgentClient(ServiceClient):
    """Talks to one agent service.

    Asking again is always safe: a request without a seed may then be answered by another sample, but only one of them
    is ever seen.
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

    async def info(self) -> AgentInfo:
        """Back end, checkpoint, tokenizer hash, context length, chat format and stop ids."""
        return await self._transport.call("GET", "/v1/agent", AgentInfo)

    async def act(self, prompt_ids: Sequence[int], sampling: Sampling = _GREEDY) -> AgentTurn:
        """One answer to a rendered dialogue (generation prompt included). Raises ``prompt_too_long``, ``queue_full``."""
        asked = ReactStepRequest(prompt_token_ids=list(prompt_ids), **sampling.model_dump())
        return await self._transport.call("POST", "/v1/react/steps", AgentTurn, body=asked)

    async def load(self, checkpoint: str) -> AgentInfo:
        """Serve another checkpoint from now on. Raises ``checkpoint_not_found``, ``unsuitable_model``; the old one stays."""
        return await self._transport.call("POST", "/v1/checkpoint", AgentInfo, body=LoadCheckpoint(path=checkpoint))
