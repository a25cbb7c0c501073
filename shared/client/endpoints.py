"""The servers behind a client: one, or several of which the least loaded takes what is begun.

Several are a list of URLs, or what a host's name stands for. A :class:`shared.client.watch.Watch` knows how they are;
here is who takes what, and that work moves on when its server is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel

from shared.client.endpoint import Endpoint, ServerLost
from shared.client.load import least_loaded
from shared.client.transport import FULL, RetryPolicy
from shared.client.watch import Watch
from shared.errors import RestepError

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

GONE: Final = frozenset({"unreachable", "draining", "not_ready"})
"""What is said by, or of, a server that cannot go on."""


class Endpoints:
    """The servers that a :class:`Watch` looks after; one that needs no watch is called as if this were not here."""

    def __init__(self, watch: Watch, retry: RetryPolicy) -> None:
        self._watch, self._retry = watch, retry
        self._alone = watch.alone

    @property
    def url(self) -> str:
        """The first address that was given."""
        return self._watch.urls[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._watch.urls)

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        await self._watch.close()

    def all(self) -> list[Endpoint]:
        """Every server known of, those that are down too."""
        return self._watch.endpoints()

    def lost(self, endpoint: Endpoint) -> bool:
        """Whether a server is given up, and its like are looked for."""
        return self._alone is None and not endpoint.usable

    async def ask(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        answer: type[M],
        *,
        body: BaseModel | None = None,
        params: Mapping[str, str | int] | None = None,
        movable: bool = False,
        queueing: bool = True,
    ) -> M:
        """A call on one server; ``movable`` where another could answer it as well, so that a full one is not waited for.

        Without ``queueing``, a full server is given no more patience than any other failure. Raises what
        :meth:`Transport.call` does, and :class:`ServerLost` where the server is gone and others may be there.
        """
        transport, retry = endpoint.transport, self._retry

        def patience(error: RestepError) -> float:
            if self._alone is None and error.code in GONE:
                return retry.elsewhere
            if self._alone is None and movable and error.code in FULL:
                return 0.0
            return retry.bound(error) if queueing else retry.patience

        if self._alone is not None:
            return await transport.call(method, path, answer, body=body, params=params, patience=patience)
        if self.lost(endpoint):
            raise _lost(endpoint)
        call = transport.call(method, path, answer, body=body, params=params, patience=patience)
        try:
            return await endpoint.unless_it_dies(call)
        except RestepError as error:
            if error.code not in GONE:
                raise
            endpoint.give_up(error)
            raise ServerLost(error) from None

    async def place(
        self, work: Callable[[Endpoint], Awaitable[T]], prefer: Endpoint | None = None, *, stays: bool = False
    ) -> tuple[Endpoint, T]:
        """Work that any server can do, and the one that did: ``prefer`` while it is there, else the least loaded.

        It counts as open there while it lasts, and where it ``stays`` until :meth:`leave`. Raises what the work does,
        of full or lost servers once the policy's patience is used up; and ``servers_differ``.
        """
        if self._alone is not None:
            return self._alone, await work(self._alone)
        first_failure: float | None = None
        tries = 0
        while True:
            try:
                endpoint = prefer if prefer is not None and prefer.usable else await self._pick()
                prefer = None
                return endpoint, await _counted(endpoint, work, stays=stays)
            except ServerLost as lost:
                error, room = lost.error, any(one.usable for one in self.all())
            except RestepError as refusal:
                if refusal.code not in FULL:
                    raise
                error, room = refusal, any(one.usable and not one.load.full for one in self.all())
            tries += 1
            now = time.monotonic()
            first_failure = now if first_failure is None else first_failure
            wait = 0.0 if room else error.retry_after or self._retry.backoff(tries)
            if now + wait > first_failure + self._retry.bound(error):
                raise error
            await asyncio.sleep(wait)

    def stay(self, endpoint: Endpoint) -> None:
        """Something was begun on a server because its like is there."""
        if self._alone is None:
            endpoint.load.own += 1

    def leave(self, endpoint: Endpoint) -> None:
        """What stayed on a server has ended there."""
        if self._alone is None:
            endpoint.load.own -= 1

    async def everywhere(self, work: Callable[[Endpoint], Awaitable[T]]) -> list[T]:
        """The same on every server that is there; at least one. Raises what the work does of any that stays there."""
        endpoints = [self._alone] if self._alone is not None else await self._watch.usable()
        results = await asyncio.gather(*(work(endpoint) for endpoint in endpoints), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, ServerLost):
                raise failure
        if len(failures) == len(results):
            raise _lost(endpoints[0]).error if endpoints else RestepError("unreachable", f"nobody is left at {self.url}")
        return [result for result in results if not isinstance(result, BaseException)]

    async def _pick(self) -> Endpoint:
        usable = await self._watch.usable()
        if not usable:
            raise min((_lost(endpoint) for endpoint in self.all()), key=lambda lost: lost.error.retryable)
        return usable[least_loaded([endpoint.load for endpoint in usable])]


async def _counted(endpoint: Endpoint, work: Callable[[Endpoint], Awaitable[T]], *, stays: bool) -> T:
    endpoint.load.own += 1
    done = False
    try:
        result = await work(endpoint)
        done = True
        return result
    except RestepError as error:
        if error.code in FULL:
            endpoint.load.fill()
        raise
    finally:
        if not (done and stays):
            endpoint.load.own -= 1


def _lost(endpoint: Endpoint) -> ServerLost:
    return ServerLost(endpoint.error or RestepError("unreachable", f"{endpoint.name} is down"))
