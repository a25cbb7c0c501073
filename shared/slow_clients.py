"""Connections whose client has stopped: ended after a while, so that nobody keeps a server's memory for nothing.

uvicorn bounds only how long a connection may be idle between two requests. One on which no request is ever begun, a
request that never gets complete and an answer that is never read would stay for ever. They are found by looking at all
connections now and then, so that requests pay nothing for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Hashable
from typing import Any, Final

log = logging.getLogger(__name__)

PATIENCE: Final = 60.0
"""Seconds that a client may take over a request, or over reading some of an answer."""


class SlowClients:
    """``connections`` are those of a uvicorn server; ``clock`` is monotonic, in seconds."""

    def __init__(
        self, connections: Collection[Any], patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connections, self._patience, self._clock = connections, patience, clock
        self._waiting: dict[Any, tuple[Hashable, float]] = {}
        self.ended = 0

    async def end_forever(self) -> None:
        """Look at a pace that fits the patience; runs until cancelled."""
        while True:
            await asyncio.sleep(self._patience / 4)
            self.end()

    def end(self) -> None:
        """End the connections on which their client has kept us waiting for too long."""
        now, before = self._clock(), self._waiting
        self._waiting = {}
        for connection in list(self._connections):
            what = _waited_for(connection)
            if what is None:
                continue
            known, since = before.get(connection, (what, now))
            since = since if known == what else now
            if now - since >= self._patience:
                log.info("a client kept us waiting for %.0f s; its connection is ended", now - since)
                self.ended += 1
                connection.transport.abort()
            else:
                self._waiting[connection] = (what, since)


def _waited_for(connection: Any) -> Hashable:
    """What the client owes us, the same value as long as it is the same; None where it is our turn."""
    if not hasattr(connection, "cycle"):  # a WebSocket, which uvicorn pings
        return None
    if connection.flow.write_paused:
        return "reading", connection.transport.get_write_buffer_size()
    cycle = connection.cycle
    if cycle is None:
        return "first request"
    if cycle.more_body:
        return "body", id(cycle)
    if cycle.response_complete and connection.timeout_keep_alive_task is None:
        return "next request", id(cycle)
    return None
