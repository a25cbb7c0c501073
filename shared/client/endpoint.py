"""One of several servers behind a client: the way to it, how full it is, and whether it is there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.client.load import Load
from shared.client.transport import Transport
from shared.errors import RestepError

log = logging.getLogger(__name__)

T = TypeVar("T")


class ServerLost(Exception):
    """A server is gone, and another may take its work over; ``error`` is how it was last found."""

    def __init__(self, error: RestepError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Report:
    """What a server says of itself: room and use, and what must be the same at all servers of a client, by name."""

    capacity: int
    held: int
    identity: Mapping[str, str]


class Endpoint:
    """A server, unknown until it has answered once.

    ``listed`` is false when its address is no longer given, ``differs`` says how it is another server than the others,
    and ``left_behind`` holds the sessions it may still have of episodes that have moved on.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.load = Load()
        self.listed = True
        self.differs: RestepError | None = None
        self.error: RestepError | None = None
        self.left_behind: set[str] = set()
        self._known = False
        self._failing_since: float | None = None
        self._death: asyncio.Future[None] | None = None

    @property
    def name(self) -> str:
        """Its address, for people."""
        return self.transport.name

    @property
    def usable(self) -> bool:
        """Whether it has answered, and was not given up since."""
        return self._known and not self._down

    @property
    def failing(self) -> bool:
        """Whether it was not there when it was last looked for."""
        return self._failing_since is not None

    @property
    def _down(self) -> bool:
        return self._death is not None and self._death.done()

    def fail(self, error: RestepError, bound: float) -> None:
        """It was not found; it is given up once that has gone on for ``bound`` seconds."""
        self.error = error
        if time.monotonic() >= self._fails() + bound:
            self.give_up(error)

    def give_up(self, error: RestepError) -> None:
        """Until it answers again: whatever waits for it raises :class:`ServerLost`."""
        self.error = error
        self._fails()  # so that it is looked for again
        if self.usable:
            log.warning("%s is down: %s", self.name, error.detail)
        if not self._down:
            self._mortal().set_result(None)

    def answer(self) -> None:
        """It is there, for the first time or again."""
        if self._known and self._down:
            log.warning("%s is back", self.name)
        if self._down:
            self._death = None
        self._known, self._failing_since, self.error = True, None, None

    async def unless_it_dies(self, call: Coroutine[Any, Any, T]) -> T:
        """What the call gives or raises; :class:`ServerLost` as soon as the server is given up."""
        task, death = asyncio.ensure_future(call), self._mortal()
        try:
            await asyncio.wait((task, death), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ServerLost(self.error or RestepError("unreachable", f"{self.name} is down"))
        finally:
            task.cancel()

    def _fails(self) -> float:
        """Since when."""
        self._failing_since = time.monotonic() if self._failing_since is None else self._failing_since
        return self._failing_since

    def _mortal(self) -> asyncio.Future[None]:
        if self._death is None:
            self._death = asyncio.get_running_loop().create_future()
        return self._death
