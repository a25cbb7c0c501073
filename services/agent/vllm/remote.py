"""A vLLM that somebody else runs: it is asked what it serves, and asked again after it was away.

Only adapters are given to it. Its weights are never exchanged in place, because whoever restarts it would bring the old
ones back unnoticed under the new name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

from services.agent.checkpoint import Checkpoint
from services.agent.vllm.client import RETRY_AFTER, Card, Trouble, VllmClient, until_healthy
from services.agent.vllm.server import PATIENCE, Server, Totals
from services.agent.vllm.turnstile import Turnstile
from shared.errors import RestepError


class RemoteServer(Server):
    """See :class:`Server`. ``context_length`` is the server's own."""

    def __init__(self, client: VllmClient, base: Checkpoint, card: Card, turnstile: Turnstile, totals: Totals) -> None:
        super().__init__(base, turnstile, totals)
        self.context_length = card.max_model_len or base.positions
        self._name = card.id
        self._client = client
        self._looking: asyncio.Task[bool] | None = None

    @classmethod
    async def attach(cls, client: VllmClient, base: Checkpoint, turnstile: Turnstile, totals: Totals) -> Self:
        """The server behind ``client``. Raises ``not_ready``, and ``unsuitable_model`` when it serves something else."""
        if not await until_healthy(client, PATIENCE):
            raise RestepError("not_ready", f"no vLLM answers at {client.url}", retry_after=RETRY_AFTER)
        try:
            card = await _card(client, base)
        except Trouble as trouble:
            raise trouble.error from None
        return cls(client, base, card, turnstile, totals)

    def base_name(self) -> str:
        """See :meth:`Server.base_name`."""
        return self._name

    async def ready(self) -> VllmClient:
        """See :meth:`Server.ready`; it is there until a question fails."""
        return self._client

    async def recovered(self, client: VllmClient) -> bool:
        """See :meth:`Server.recovered`; all who ask meanwhile share one look. Raises ``unsuitable_model`` also."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> bool:
        away = not await self._client.healthy()
        if away:
            self.totals.restarts += 1
            if not await until_healthy(self._client, PATIENCE):
                raise RestepError("not_ready", f"no vLLM answers at {self._client.url}", retry_after=RETRY_AFTER)
        try:
            await _card(self._client, self.base)
            known = {card.id for card in await self._client.cards()}
            await self.restore(self._client)
        except Trouble as trouble:
            raise trouble.error from None
        return away or bool(self.adapters.keys() - known)

    async def levels(self) -> Mapping[str, float]:
        """See :meth:`Server.levels`."""
        try:
            return await self._client.levels()
        except (Trouble, RestepError):
            return {}

    async def close(self) -> None:
        """See :meth:`Server.close`: it goes on without us."""
        await self.turnstile.emptied()
        self.closed = True
        await self._client.close()


async def _card(client: VllmClient, base: Checkpoint) -> Card:
    """The row of a server that serves ``base``. Raises ``unsuitable_model``, :class:`Trouble`."""
    cards = [card for card in await client.cards() if card.parent is None]
    for card in cards:
        if card.root in (base.source, str(base.folder)):
            return card
    serves = ", ".join(card.root or card.id for card in cards) or "nothing"
    raise RestepError(
        "unsuitable_model", f"{client.url} serves {serves}, not {base.source}; start it with that, or load an adapter of it"
    )
