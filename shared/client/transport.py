"""One HTTP call, repeated until it is answered: every route of ours may be called again safely, so everything is retried.

Retried are connections that fail or break, timeouts, and 429, 502, 503 and 504. A Retry-After is waited for exactly;
without one the wait doubles from try to try, capped, with jitter so that many clients do not come back at once.
The bound is :class:`RetryPolicy`. Whatever goes wrong in the end is one :class:`shared.errors.RestepError`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from shared.errors import Problem, RestepError

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

_sleep = asyncio.sleep

RETRIED_STATUSES: Final = frozenset({429, 502, 503, 504})
FULL: Final = frozenset({"over_capacity", "too_many_sessions", "queue_full"})
"""What a server says that is well and has no room at the moment."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a failing call is repeated; all in seconds.

    A call gives up when the next try would start later than ``patience`` after its first failure. ``first_contact``
    is the same bound while the server has never answered this client, so that a wrong address is soon told. ``queueing``
    is the bound while it answers that it is full: longer than the leases of sessions whose owner was killed.
    ``elsewhere`` is the bound while it is gone and another server may take the call over.
    Waits between tries grow from ``base`` to at most ``cap``.
    """

    patience: float = 120.0
    first_contact: float = 10.0
    queueing: float = 3600.0
    elsewhere: float = 3.0
    base: float = 0.1
    cap: float = 5.0

    def bound(self, error: RestepError) -> float:
        """Seconds after the first failure in which a call that now fails so is tried again."""
        return max(self.patience, self.queueing) if error.code in FULL else self.patience

    def backoff(self, tries: int) -> float:
        """The wait after the ``tries``-th failure: doubling, capped, and half of it by chance."""
        return min(self.cap, self.base * 2.0 ** min(tries - 1, 30)) * random.uniform(0.5, 1.0)


Patience = Callable[[RestepError], float]
"""Seconds after the first failure in which a call that fails so is repeated."""


class _Failed(Exception):
    """One try failed; ``again`` says whether another may succeed."""

    def __init__(self, error: RestepError, *, again: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again


class Transport:
    """Calls to one server, over kept-alive HTTP/1.1 connections, ``concurrency`` at a time."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None,
        timeout: float,
        concurrency: int,
        retry: RetryPolicy,
        address: str | None = None,
    ) -> None:
        """Nothing is sent yet. ``timeout`` is in seconds and for one try. Raises ``unreachable`` for no HTTP address.

        ``address``: which of its host's IP addresses to connect to; the server is still told the name, and TLS checks it.
        """
        url = http_url(base_url)
        self.base_url = base_url.rstrip("/")
        self.name = self.base_url if address is None else f"{self.base_url} ({address})"
        self.retry = retry
        self._answered = False
        self._slots = asyncio.Semaphore(concurrency)
        self._target = self.base_url if address is None else str(url.copy_with(host=address)).rstrip("/")
        self._extensions = {"sni_hostname": url.host} if address is not None and url.scheme == "https" else {}
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            headers=headers if address is None else {**headers, "Host": url.netloc.decode()},
            # Waiting for a slot happens above, so the pool, whose queue is slow, never has one; a probe takes none.
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0), pool=None),
            limits=httpx.Limits(max_connections=concurrency + 1, max_keepalive_connections=concurrency, keepalive_expiry=30.0),
            trust_env=False,  # a proxy for the outside world is no way to the server next door
        )

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        answer: type[M],
        *,
        body: BaseModel | None = None,
        params: Mapping[str, str | int] | None = None,
        patience: Patience | None = None,
    ) -> M:
        """The answer of a route, checked; ``patience`` overrides the policy's.

        Raises what the server raised; ``unreachable``, ``timeout``, ``protocol_violation``.
        """
        content = await self._persist(method, path, body, params, patience or self.retry.bound)
        return self._read(answer, content, method, path)

    async def send(self, method: str, path: str, *, patience: float) -> None:
        """A call without an answer. Raises as :meth:`call`."""
        await self._persist(method, path, None, None, lambda _: patience)

    async def probe(self, path: str, answer: type[M], timeout: float) -> M:
        """One try at a GET, which waits for no other call. Raises as :meth:`call`."""
        try:
            async with asyncio.timeout(timeout):
                content = await self._once("GET", path, None, None)
        except TimeoutError:
            raise RestepError("timeout", f"no answer from GET {self.name}{path} in time") from None
        except _Failed as failed:
            raise failed.error from None
        return self._read(answer, content, "GET", path)

    def _read(self, answer: type[M], content: bytes, method: str, path: str) -> M:
        try:
            return answer.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the answer"
            raise RestepError("protocol_violation", f"{method} {self.name}{path}: {where}: {first['msg']}") from None

    async def _persist(
        self, method: str, path: str, body: BaseModel | None, params: Mapping[str, str | int] | None, patience: Patience
    ) -> bytes:
        content = None if body is None else body.model_dump_json(exclude_none=True).encode()
        first_failure: float | None = None
        tries = 0
        while True:
            try:
                async with self._slots:
                    return await self._once(method, path, content, params)
            except _Failed as failed:
                error, again = failed.error, failed.again
            tries += 1
            now = time.monotonic()
            first_failure = now if first_failure is None else first_failure
            wait = self.retry.backoff(tries) if error.retry_after is None else error.retry_after
            bound = patience(error) if self._answered else min(patience(error), self.retry.first_contact)
            if not again or now + wait > first_failure + bound:
                raise error
            log.debug("%s %s failed (%s); try %d in %.2f s", method, path, error, tries + 1, wait)
            await _sleep(wait)

    async def _once(self, method: str, path: str, content: bytes | None, params: Mapping[str, str | int] | None) -> bytes:
        url = self._target + path
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            response = await self._http.request(
                method, url, content=content, params=params, headers=headers, extensions=self._extensions
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            cause = str(error) or type(error).__name__
            raise _Failed(RestepError("unreachable", f"nobody answers at {self.name}: {cause}"), again=True) from error
        except httpx.TimeoutException as error:
            raise _Failed(RestepError("timeout", f"no answer from {method} {self.name}{path} in time"), again=True) from error
        except httpx.TransportError as error:
            cause = str(error) or type(error).__name__
            raise _Failed(RestepError("unreachable", f"the connection to {self.name} broke: {cause}"), again=True) from error
        self._answered = True
        if response.is_success:
            return response.content
        raise _Failed(_refusal(response), again=response.status_code in RETRIED_STATUSES)


def http_url(address: str) -> httpx.URL:
    """An address of the form ``http://HOST:PORT``. Raises ``unreachable`` for what is none."""
    try:
        url = httpx.URL(address.rstrip("/"))
    except httpx.InvalidURL as error:
        raise RestepError("unreachable", f"{address!r} is no address: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise RestepError("unreachable", f"{address!r} is no address; give http://HOST:PORT")
    return url


def _refusal(response: httpx.Response) -> RestepError:
    """The error in an answer; one that is no problem document is a ``protocol_violation``, with what can be told of it."""
    try:
        error = RestepError.from_problem(Problem.model_validate_json(response.content))
    except ValidationError:
        request = f"{response.request.method} {response.request.url}"
        error = RestepError("protocol_violation", f"{request}: HTTP {response.status_code} without problem details")
    header = retry_after_seconds(response.headers.get("Retry-After"))
    if header is not None:
        error.retry_after = header
    return error


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Retry-After as seconds from now: a number, or a date (RFC 9110, 10.2.3). None where it is neither."""
    if retry_after is None:
        return None
    try:
        if retry_after.strip().isdigit():
            return float(retry_after)
        at = parsedate_to_datetime(retry_after)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None
