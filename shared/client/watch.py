"""Which servers there are behind a client and how they are: looked for again and again, while there may be several.

A host's name is looked up and stands for all its addresses; every server is asked for its report. One that does not
answer for a while is given up until it does; one that serves something else than the others is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final

from shared.client.addresses import Resolve, name_in
from shared.client.endpoint import Endpoint, Report
from shared.client.transport import RetryPolicy, Transport
from shared.errors import RestepError
from shared.protocol import Health

log = logging.getLogger(__name__)

WATCH_SECONDS: Final = 2.0
"""Between two looks at a server."""
RESOLVE_SECONDS: Final = 10.0
"""Between two look-ups of a name whose servers are all there."""
PROBE_SECONDS: Final = 10.0
"""A server that says nothing for so long was not found; longer than a busy one needs."""

Connect = Callable[[str, str | None], Transport]
"""The way to a URL, at one of its host's addresses."""
Inquire = Callable[[Transport], Awaitable[Report]]
"""Ask a server for its report; where that takes something, make it fit to be used first."""


class Watch:
    """Over the servers at some URLs. Must be closed; used within one event loop. ``alone`` is one that needs no watch."""

    def __init__(self, urls: Sequence[str], connect: Connect, inquire: Inquire, resolver: Resolve, retry: RetryPolicy) -> None:
        """Nothing is sent yet. Raises ``unreachable`` for what is no HTTP address, and for none at all."""
        if not urls:
            raise RestepError("unreachable", "no address of a server is given")
        self.urls = list(dict.fromkeys(url.rstrip("/") for url in urls))
        self._connect, self._inquire, self._resolver, self._retry = connect, inquire, resolver, retry
        self._names = {url: name for url in self.urls if (name := name_in(url)) is not None}
        self._endpoints = {(url, ""): Endpoint(connect(url, None)) for url in self.urls if url not in self._names}
        self.alone = self.endpoints()[0] if len(self.urls) == 1 and not self._names else None
        self._identity: tuple[str, Report] | None = None
        self._resolved: float | None = None
        self._lock = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._probes: dict[Endpoint, asyncio.Task[None]] = {}
        self._errands: set[asyncio.Task[None]] = set()

    def endpoints(self) -> list[Endpoint]:
        """All that are known of."""
        return list(self._endpoints.values())

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        tasks = [*self._probes.values(), *self._errands, *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(endpoint.transport.close() for endpoint in self.endpoints()))

    async def usable(self) -> list[Endpoint]:
        """Those that something may be begun on; nobody, while all of them are gone.

        The first time it looks for them, and raises what they say when none can be used: ``unreachable`` after the
        policy's ``first_contact``, ``not_ready``, ``unauthorized``, ... Raises ``servers_differ`` at any time.
        """
        async with self._lock:
            if self._watching is None:
                await self._first_look()
                self._watching = asyncio.create_task(self._watch(), name="restep-watch")
        found = [endpoint for endpoint in self.endpoints() if endpoint.usable]
        for endpoint in found:
            if endpoint.differs is not None:
                raise endpoint.differs
        return [endpoint for endpoint in found if endpoint.listed] or found

    async def _first_look(self) -> None:
        began, tries = time.monotonic(), 0
        while True:
            await self._resolve()
            await asyncio.wait(self._probe_all(), timeout=self._retry.first_contact)
            if any(endpoint.usable for endpoint in self.endpoints()):
                return
            tries += 1
            error = self._why_none()
            wait = self._retry.backoff(tries)
            patience = self._retry.first_contact if error.code in ("unreachable", "timeout") else self._retry.patience
            if not error.retryable or time.monotonic() + wait > began + patience:
                raise error
            await asyncio.sleep(wait)

    def _why_none(self) -> RestepError:
        """The word of those that answered counts more than the silence of the others."""
        errors = [endpoint.error for endpoint in self.endpoints() if endpoint.error is not None]
        errors.sort(key=lambda error: (error.retryable, error.code == "unreachable"))
        return errors[0] if errors else RestepError("timeout", f"nobody answers at {', '.join(self.urls)} in time")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            failing = any(endpoint.failing for endpoint in self.endpoints())
            if self._resolved is None or failing or time.monotonic() >= self._resolved + RESOLVE_SECONDS:
                await self._resolve()
            if failing or len(self._endpoints) > 1:
                self._probe_all()

    # --- names -------------------------------------------------------------------------------------------------

    async def _resolve(self) -> None:
        """Look the names up: servers appear, and those that are gone are dropped once nothing is open there."""
        for url, host in self._names.items():
            try:
                addresses = await self._resolver(host)
            except OSError as error:
                log.warning("%s: %s", host, error)
                continue
            self._list(url, addresses)
        for url in self._names:
            if not any(key[0] == url for key in self._endpoints):  # its own error, when it is called, says why
                self._endpoints[url, ""] = Endpoint(self._connect(url, None))
        self._resolved = time.monotonic() if self._names else float("inf")

    def _list(self, url: str, addresses: Sequence[str]) -> None:
        for address in addresses:
            if (url, address) not in self._endpoints:
                self._endpoints[url, address] = Endpoint(self._connect(url, address))
        for (place, address), endpoint in list(self._endpoints.items()):
            if place == url:
                endpoint.listed = address in addresses
                if not endpoint.listed and not endpoint.usable and endpoint.load.own == 0:
                    del self._endpoints[place, address]
                    self._spawn(endpoint.transport.close())

    # --- servers -----------------------------------------------------------------------------------------------

    def _probe_all(self) -> list[asyncio.Task[None]]:
        for endpoint in self.endpoints():
            if endpoint not in self._probes:
                self._probes[endpoint] = task = asyncio.create_task(self._probe(endpoint))
                task.add_done_callback(lambda _, endpoint=endpoint: self._probes.pop(endpoint, None))
        return list(self._probes.values())

    async def _probe(self, endpoint: Endpoint) -> None:
        try:
            if not endpoint.usable:
                await endpoint.transport.probe("/readyz", Health, PROBE_SECONDS)
            report = await self._inquire(endpoint.transport)
        except RestepError as error:
            endpoint.fail(error, self._retry.elsewhere)
            return
        endpoint.differs = self._difference(endpoint, report)
        endpoint.load.report(report.capacity, report.held)
        endpoint.answer()
        while endpoint.left_behind:
            session_id = endpoint.left_behind.pop()
            self._spawn(_forget(endpoint, session_id))

    def _difference(self, endpoint: Endpoint, report: Report) -> RestepError | None:
        if self._identity is None:
            self._identity = (endpoint.name, report)
        first, expected = self._identity
        for what, value in report.identity.items():
            if value != expected.identity.get(what):
                told = f"{first} serves {what} {expected.identity.get(what)!r}, {endpoint.name} {value!r}"
                return RestepError("servers_differ", told)
        return None

    def _spawn(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


async def _forget(endpoint: Endpoint, session_id: str) -> None:
    with contextlib.suppress(RestepError):
        await endpoint.transport.send("DELETE", f"/v1/sessions/{session_id}", patience=0.0)
