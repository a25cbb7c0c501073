"""What the clients of all services are: addresses, a way to each with its retries, and a life in a ``with`` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

from pydantic import BaseModel

from shared.client.addresses import Resolve, resolve
from shared.client.endpoint import Endpoint, Report
from shared.client.endpoints import Endpoints
from shared.client.transport import RetryPolicy, Transport
from shared.client.watch import Watch

M = TypeVar("M", bound=BaseModel)


class ServiceClient(ABC):
    """Talks to one service, to a gateway before many, or to several, of which the least loaded takes what is begun.

    Several are a list of addresses, or a name with several addresses, which is looked up again and again. Use it within
    one event loop. Every method raises what the service raised as the same :class:`RestepError`; beyond that
    ``unreachable``, ``timeout`` and ``protocol_violation`` once the :class:`RetryPolicy` is used up, and
    ``servers_differ``.
    """

    def __init__(
        self,
        base_url: str | Sequence[str],
        token: str | None = None,
        *,
        concurrency: int = 64,
        timeout: float = 150.0,
        retry: RetryPolicy | None = None,
        resolver: Resolve = resolve,
    ) -> None:
        """Nothing is sent yet. Raises ``unreachable`` for what is no HTTP address.

        ``concurrency``: requests in flight at once on each server; more wait their turn. ``timeout``: seconds for one
        try, longer than a server may take over one call, so that its own word on the matter is heard.
        """
        policy = retry or RetryPolicy()

        def connect(url: str, address: str | None) -> Transport:
            return Transport(url, token=token, timeout=timeout, concurrency=concurrency, retry=policy, address=address)

        urls = [base_url] if isinstance(base_url, str) else base_url
        self._endpoints = Endpoints(Watch(urls, connect, self._inquire, resolver, policy), policy)

    @property
    def base_url(self) -> str:
        """Where the service is; of several addresses the first."""
        return self._endpoints.url

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address that was given."""
        return self._endpoints.urls

    @property
    def servers(self) -> list[Endpoint]:
        """Every server known of, and how it is; a name stands for none before the first call."""
        return self._endpoints.all()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; what is open at the server is left to its leases. Idempotent."""
        await self._endpoints.close()

    @abstractmethod
    async def _inquire(self, transport: Transport) -> Report:
        """What one of several servers says of itself, fit to be used."""

    async def _anywhere(
        self,
        method: str,
        path: str,
        answer: type[M],
        *,
        body: BaseModel | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> M:
        """A call that any of the servers can answer."""

        async def ask(endpoint: Endpoint) -> M:
            return await self._endpoints.ask(endpoint, method, path, answer, body=body, params=params, movable=True)

        return (await self._endpoints.place(ask))[1]
