"""A collection by a process of its own: started, watched through its store, killed, started again."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from typing import Self

from shared.store import TrajectoryStore
from tests.support.run_plan import RUN
from tests.support.same_run import Content, finished
from tests.support.server import ROOT


class Driver:
    """``async with Driver(plan.store, plan.command) as driver``; killed at the end of the block if it still runs.

    ``command`` are arguments of the interpreter. What it has finished is in ``run`` of the ``store``.
    """

    def __init__(self, store: str, command: Sequence[str], run: str = RUN) -> None:
        self.store = TrajectoryStore(store)
        self.run = run
        self._command = command
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        self.store.close()

    async def start(self) -> None:
        """Begin, or go on."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._command, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE
        )

    async def reached(self, units: int) -> list[Content]:
        """Wait for so many finished units while it runs; what there is then."""
        while len(done := finished(self.store, self.run)) < units:
            assert self.process.returncode is None, f"it ended too early: {await self.process.communicate()}"
            await asyncio.sleep(0.02)
        return done

    async def kill(self) -> None:
        """SIGKILL. Idempotent."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()

    async def ended(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, standard output and standard error."""
        out, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), errors.decode()

    @property
    def process(self) -> Process:
        """The process that was started last."""
        assert self._process is not None
        return self._process
