"""Run an ASGI application with uvicorn the way every restep service runs.

Port 0 takes a free port. When the service is ready, one JSON line on standard output announces where it listens,
for a parent process to read. SIGTERM and SIGINT drain first (the listener stays open and says so), then stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Generator
from typing import Any, cast

import orjson
import uvicorn

from shared.errors import RestepError
from shared.heads import BoundedHeads
from shared.slow_clients import SlowClients

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[object]]
_ANSWER_SECONDS = 3
"""After the drain, answers may take so long to be written."""
_MESSAGE_BYTES = 1 << 20
"""Most that one WebSocket message may hold, as for a body."""
_BACKLOG = 2048
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises ``port_in_use``, or ``unreachable`` for an address this machine does not have."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise RestepError("unreachable", f"cannot listen on {host}:{port}: {error.strerror}") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)  # from here on clients wait instead of being refused, and the port is ours alone
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise RestepError("port_in_use", f"{host}:{port} is in use") from None
        raise RestepError("unreachable", f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop where there is one: it is worth a third of the throughput."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def announce(service: str, host: str, port: int) -> None:
    """Write ``{"event": "ready", "service", "url", "port"}`` as one line to standard output."""
    name = f"[{host}]" if ":" in host else host
    line = orjson.dumps({"event": "ready", "service": service, "url": f"http://{name}:{port}", "port": port})
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: ours drains first, and the exit code is ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _web_socket(**given: Any) -> asyncio.BaseProtocol:
    """uvicorn's own protocol for WebSockets, loaded for the first client that asks: 2 MB that few servers ever need."""
    from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

    assert AutoWebSocketsProtocol is not None
    return AutoWebSocketsProtocol(**given)


async def serve(
    app: Any, listener: socket.socket, *, service: str, ready: Step, drain: Step, trusted_proxies: str = ""
) -> None:
    """Serve until SIGTERM or SIGINT. ``app`` is any ASGI application.

    A client's address and scheme are those that a trusted proxy tells of it, and never what it says of itself.

    ``ready`` returns when the service can work (its exception ends the server and is raised here); ``drain`` is
    awaited on a signal while the listener is still open, and must be bounded by itself. A second signal skips it.
    """
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        http=BoundedHeads,
        ws=cast("type[asyncio.Protocol]", _web_socket),
        ws_max_size=_MESSAGE_BYTES,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_ANSWER_SECONDS,
    )
    server = _Server(config)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        server.should_exit = stopping.is_set()  # the second signal cuts the drain short
        stopping.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    preparing = asyncio.create_task(_prepare(ready, service, listener))
    stopped = asyncio.create_task(stopping.wait())
    slow = asyncio.create_task(SlowClients(server.server_state.connections).end_forever())
    try:
        await asyncio.wait({running, preparing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if preparing.done() and preparing.exception() is None:
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set():
            log.info("draining")
            await _first(drain, running)
    finally:
        server.should_exit = True
        stopped.cancel()
        slow.cancel()
        await running
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
    if preparing.done():
        preparing.result()
    else:
        preparing.cancel()


async def _prepare(ready: Step, service: str, listener: socket.socket) -> None:
    await ready()
    host, port = listener.getsockname()[:2]
    announce(service, host, port)
    log.info("%s listens on %s:%d", service, host, port)


async def _first(drain: Step, running: asyncio.Task[None]) -> None:
    """Wait for the drain, or for a server that was told to leave at once."""
    draining = asyncio.ensure_future(drain())
    await asyncio.wait({draining, running}, return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        draining.cancel()
