"""A shard: one JVM, one thread, many simulators; first come, first served.

The thread is the lock: whatever touches the JVM runs on it, in order of arrival (a lock would not be fair, and the
slowest twentieth of the steps four times slower). A shard whose JVM dies starts another by itself; what lived in the
dead one raises EngineLost from then on and is replayed by the framework.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from py4j.protocol import Py4JError, Py4JJavaError

from services.sciworld.jvm import Jvm
from services.sciworld.simulator import Simulator, World
from shared.errors import EngineLost, RestepError

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

MAX_IDLE_SIMULATORS = 64
"""Simulators kept for reuse; one takes 0.35 MB of the JVM's heap."""


class Shard:
    """One JVM and its thread. Methods called ``async`` and :meth:`acquire` aside, use it from the event loop only."""

    def __init__(self, index: int, launch: Callable[[], Jvm] = Jvm) -> None:
        self.index = index
        self.episodes = 0
        self.restarts = 0
        self.pending = 0
        self._launch = launch
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"sciworld-{index}")
        self._world: World | None = None
        self._idle: list[Simulator] = []
        self._closing = False

    async def start(self) -> None:
        """Start the JVM. Raises ``engine_failed``."""
        await asyncio.wrap_future(self._executor.submit(self._boot))

    async def stop(self) -> None:
        """End JVM and thread; queued work raises EngineLost. Idempotent."""
        self._closing = True
        self._kill()  # fails the call that runs now
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
        self._kill()  # the JVM that was being started meanwhile

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on the shard's thread, after everything asked for before.

        While it runs the shard's episodes wait: split work of more than some 100 ms into several calls.
        Raises EngineLost when the JVM died, before or during the call.
        """
        self.pending += 1
        try:
            return await asyncio.wrap_future(self._submit(function, *args, **kwargs))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closing and task is not None and not task.cancelling():  # the queue was cancelled, not the caller
                raise EngineLost(f"shard {self.index} is stopped") from None
            raise
        finally:
            self.pending -= 1

    def acquire(self) -> Simulator:
        """A simulator for the taking: a recycled one, or a new one. On the shard's thread only."""
        world = self._alive_world()
        return self._idle.pop() if self._idle else Simulator(world)

    def release(self, simulator: Simulator) -> None:
        """Take a simulator back; one of a JVM that is gone is forgotten. On the shard's thread only."""
        if simulator.world is self._world and len(self._idle) < MAX_IDLE_SIMULATORS:
            self._idle.append(simulator)

    @property
    def pid(self) -> int | None:
        """Process id of the JVM, or None while there is none."""
        return self._world.jvm.pid if self._world is not None else None

    @property
    def alive(self) -> bool:
        """Whether the JVM runs."""
        return self._world is not None and self._world.jvm.alive

    def _kill(self) -> None:
        if self._world is not None:
            self._world.jvm.kill()

    def _submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            return self._executor.submit(self._guard, function, *args, **kwargs)
        except RuntimeError:
            raise EngineLost(f"shard {self.index} is stopped") from None

    def _guard(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run on the shard's thread; a broken connection means a dead (or hung) JVM, and a new one."""
        world = self._alive_world()
        try:
            return function(*args, **kwargs)
        except Py4JJavaError:
            raise
        except (Py4JError, OSError) as error:
            log.warning("shard %d lost its JVM: %s", self.index, error)
            world.jvm.kill()
            raise EngineLost(f"the JVM of shard {self.index} died") from None

    def _alive_world(self) -> World:
        """The world of a JVM that runs; a dead one is replaced first."""
        if self._world is None or not self._world.jvm.alive:
            if self._closing:
                raise EngineLost(f"shard {self.index} is stopped")
            try:
                self._boot()
            except RestepError as error:
                log.error("shard %d cannot start its JVM again: %s", self.index, error.detail)
                raise EngineLost(error.detail) from None
        assert self._world is not None
        return self._world

    def _boot(self) -> None:
        """Start a JVM on the shard's thread, and a watcher that has it replaced when it dies with nobody asking."""
        if self._world is not None:
            self.restarts += 1
            log.warning("shard %d starts its JVM again", self.index)
        self._idle.clear()
        jvm = self._launch()
        if self._closing:
            jvm.kill()
            raise RestepError("engine_failed", f"shard {self.index} is stopped")
        try:
            self._world = World(jvm)
        except Py4JError as error:
            jvm.kill()
            raise RestepError("engine_failed", f"the simulator could not be loaded: {error}") from None
        threading.Thread(target=self._watch, args=(jvm,), daemon=True, name=f"sciworld-{self.index}-watch").start()

    def _watch(self, jvm: Jvm) -> None:
        jvm.wait()
        if not self._closing:
            with contextlib.suppress(RuntimeError):  # stopped meanwhile
                self._executor.submit(self._alive_world)
