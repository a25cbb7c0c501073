"""What the clients of all services are: an address, a transport with its retries, and a life in a ``with`` block."""

from __future__ import annotations

from typing import Self

from shared.client.transport import RetryPolicy, Transport


class ServiceClient:
    """Talks to one service, or to a gateway before many. Use it within one event loop.

    Every method raises what the service raised as the same :class:`RestepError`; beyond that ``unreachable``,
    ``timeout`` and ``protocol_violation`` once the :class:`RetryPolicy` is used up.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        concurrency: int = 64,
        timeout: float = 150.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Nothing is sent yet. Raises ``unreachable`` for what is no HTTP address.

        ``concurrency``: requests in flight at once; more wait their turn. ``timeout``: seconds for one try, longer
        than a server may take over one call, so that its own word on the matter is heard.
        """
        self._transport = Transport(
            base_url, token=token, timeout=timeout, concurrency=concurrency, retry=retry or RetryPolicy()
        )

    @property
    def base_url(self) -> str:
        """Where the service is."""
        return self._transport.base_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; what is open at the server is left to its leases. Idempotent."""
        await self._transport.close()
