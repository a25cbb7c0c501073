"""Where an order is carried out: in this process, or by workers on a Ray cluster that share its units through the store.

A worker on Ray is an asynchronous actor that plays many episodes at once. What holds a collection together is the store
alone: an actor that dies costs the episodes it was playing, which others take over, and is started again; so is a
driver, of which any number may be at work on the same run.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import socket
import time
from contextlib import suppress
from typing import Any, Final, Protocol, Self

from shared.errors import Problem, RestepError
from shared.store import TrajectoryStore
from trainer.collection import Collected
from trainer.concurrency import task_group
from trainer.order import Order
from trainer.progress import Progress, Report
from trainer.versions import code_version
from trainer.worker import Worker

log = logging.getLogger(__name__)

AUTO: Final = "auto"
DEATHS: Final = 5
"""An actor that dies so often without a unit finished in between is not started again."""
_LOOK_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 10.0


class Executor(Protocol):
    """Carries orders out."""

    @property
    def machines(self) -> int:
        """On how many machines."""
        ...

    async def collect(self, order: Order, report: Report | None = None) -> Collected:
        """Return when the run holds every unit of the order, or has given it up. Raises what :meth:`Worker.run` does."""
        ...


class Here:
    """This process: an :class:`Executor`."""

    machines = 1

    async def collect(self, order: Order, report: Report | None = None) -> Collected:
        """See :meth:`Executor.collect`."""
        return await Worker(order).run(report)


class Actor:
    """A :class:`Worker` for Ray, which gives its errors back as documents: they cross machines whole."""

    def __init__(self) -> None:
        self._running: asyncio.Task[Collected] | None = None

    async def pid(self) -> int:
        """Its process, on its machine."""
        return os.getpid()

    async def differs(self, version: str) -> Problem | None:
        """Why it can carry out no order of a driver whose :func:`code_version` that is: ``code_differs``, or None."""
        if (own := code_version()) == version:
            return None
        told = f"a node runs restep {own}, the driver {version}: install the same on every node"
        return RestepError("code_differs", told).problem()

    async def run(self, order: Order) -> Collected | Problem:
        """Carry out an order of the same code."""
        self._running = asyncio.ensure_future(Worker(order).run())
        try:
            return await self._running
        except RestepError as error:
            return error.problem()

    async def stop(self) -> None:
        """Leave off: units in play are free for others at once."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError, RestepError):
                await self._running


class RayCluster:
    """A Ray cluster: an :class:`Executor`. Use as a context manager; ``actors`` is None for one a processor."""

    def __init__(self, address: str, actors: int | None = None) -> None:
        """Nothing is connected yet. ``auto`` is the cluster of this machine or of RAY_ADDRESS, or one started here."""
        self._address, self._asked = address, actors
        self._ray: Any = None
        self._actors: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Connect. Raises ``missing_extra``, ``unreachable``."""
        try:
            self._ray = importlib.import_module("ray")
        except ModuleNotFoundError as error:
            raise RestepError("missing_extra", f"{error.name} is not installed; pip install 'restep[ray]'") from None
        try:
            self._connect()
        except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
            raise RestepError("unreachable", f"--ray {self._address}: {_first_line(error)}") from None
        return self

    def _connect(self) -> None:
        _check_listens(os.environ.get("RAY_ADDRESS", AUTO) if self._address == AUTO else self._address)
        quiet = {"namespace": "restep", "log_to_driver": False, "logging_level": logging.ERROR}
        try:
            self._ray.init(address=self._address, **quiet)
        except ConnectionError:
            if self._address != AUTO or os.environ.get("RAY_ADDRESS"):
                raise
            self._ray.init(include_dashboard=False, **quiet)

    def __exit__(self, *_: object) -> None:
        if self._ray is not None:
            self._ray.shutdown()

    @property
    def machines(self) -> int:
        """Nodes that are alive."""
        return sum(bool(node["Alive"]) for node in self._ray.nodes())

    @property
    def actors(self) -> int:
        """How many share an order."""
        return self._asked or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    async def collect(self, order: Order, report: Report | None = None) -> Collected:
        """See :meth:`Executor.collect`. Raises ``invalid_recipe`` for an order that is bound to one machine, where the
        cluster has several; ``code_differs``, and ``worker_lost`` when actors die again and again.
        """
        if (machines := self.machines) > 1 and (bound := order.on_this_machine) is not None:
            raise RestepError("invalid_recipe", f"{bound}, and the Ray cluster has {machines} nodes")
        with order.open_store() as store:
            return await _Undertaking(self._ray, order, store, self._actors, self.actors).run(report)


class _Undertaking:
    """One order on a cluster: its actors, started again when they die, and what the store shows of it.

    ``actors`` are those there are, by number, which stay for the next order; ``count`` of them are to be at work.
    """

    def __init__(self, ray: Any, order: Order, store: TrajectoryStore, actors: dict[int, Any], count: int) -> None:
        self._ray, self._order, self._store, self._actors, self._count = ray, order, store, actors, count
        # Actors wait for servers most of the time; one that asked for a processor might wait for that as well, for ever.
        # A little is asked for, so that a head node that is declared to have none is spared.
        self._kind = ray.remote(Actor).options(num_cpus=0.01, scheduling_strategy="SPREAD")
        self._sent = ray.put(order)
        self._units = {(task.id, attempt) for task in order.tasks for attempt in range(order.config.collection.attempts)}
        self._done: asyncio.Future[Collected] = asyncio.get_running_loop().create_future()

    async def run(self, report: Report | None) -> Collected:
        try:
            async with task_group() as group:
                work = [group.create_task(self._keep(number)) for number in range(self._count)]
                showing = group.create_task(self._show(report)) if report is not None else None
                await asyncio.wait((self._done, *work), return_when=asyncio.FIRST_COMPLETED)
                if not self._done.done():
                    await asyncio.wait((self._done,))  # one of them failed, which ends the group
                for task in (*work, *([showing] if showing is not None else [])):
                    task.cancel()
            return self._done.result()
        finally:
            await asyncio.shield(self._stop())

    async def _keep(self, number: int) -> None:
        """Keep an actor at work; whoever finds the order carried out ends it for all."""
        deaths, finished = 0, -1
        while not self._done.done():
            if number not in self._actors:
                self._actors[number] = self._kind.remote()
            actor = self._actors[number]
            try:
                differs: Problem | None = await actor.differs.remote(code_version())
                outcome: Collected | Problem = differs or await actor.run.remote(self._sent)
            except self._ray.exceptions.RayActorError as error:
                del self._actors[number]
                now = await asyncio.to_thread(lambda: self._store.counts(self._order.run).finished)
                deaths, finished = (deaths + 1 if now == finished else 1), now
                first = _first_line(error)
                log.warning("an actor of %s died and is started again: %s", self._order.run, first)
                if deaths >= DEATHS:
                    raise RestepError("worker_lost", f"{self._order.run}: an actor died {deaths} times: {first}") from None
            except self._ray.exceptions.RayError as error:
                raise RestepError("worker_lost", f"{self._order.run}: {_first_line(error)}") from None
            else:
                if isinstance(outcome, Problem):
                    raise RestepError.from_problem(outcome)
                if not self._done.done():
                    self._done.set_result(outcome)

    async def _show(self, report: Report) -> None:
        began, found = time.monotonic(), None
        while True:
            progress = await asyncio.to_thread(self._progress, found, began)
            found = progress.found
            report(progress)
            spent = time.monotonic() - began - progress.elapsed
            await asyncio.sleep(max(_LOOK_SECONDS, 20 * spent))

    def _progress(self, found: int | None, began: float) -> Progress:
        elapsed = time.monotonic() - began
        held = [unit for unit in self._store.units(self._order.run) if (unit.task_id, unit.attempt) in self._units]
        given_up = [
            failure
            for failure in self._store.failures(self._order.run)
            if not failure.resolved
            and failure.tries >= self._order.config.collection.tries
            and (failure.task_id, failure.attempt) in self._units
        ]
        first = len(held) if found is None else found
        succeeded = sum(unit.success for unit in held)
        return Progress(len(self._units), first, len(held) - first, succeeded, len(given_up), elapsed)

    async def _stop(self) -> None:
        """Let the actors leave off in order; one that does not is ended."""
        stopping = {number: asyncio.wrap_future(actor.stop.remote().future()) for number, actor in self._actors.items()}
        if stopping:
            await asyncio.wait(stopping.values(), timeout=_STOP_SECONDS)
        for number, stopped in stopping.items():
            if not stopped.done() or stopped.exception() is not None:
                self._ray.kill(self._actors.pop(number))
                stopped.cancel()


def _check_listens(address: str) -> None:
    """Raise OSError when nobody does: Ray would wait for minutes and write to the terminal. ``auto`` and the like pass."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_STOP_SECONDS).close()


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
