"""The benchmark's own engine (``alfworld`` on TextWorld and Fast Downward), for checking ours and for those who ask for it.

It needs two seconds for a game and a tenth for a step, is not thread-safe, and leaks: so it lives in worker processes
that are replaced after a number of games. A worker that dies takes its episodes with it; each raises EngineLost, and the
framework replays it on another.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from services.alfworld import original_worker
from services.alfworld.source import GameText
from services.alfworld.wording import NEW
from shared.environment import EngineStep, Episode
from shared.errors import EngineLost, RestepError

log = logging.getLogger(__name__)

EXTRA: Final = "alfworld-textworld"
GAMES_A_WORKER: Final = 200
"""After so many games a worker takes no more, and ends with its last episode; each costs it about half a MB."""

_LINE: Final = 2**24
_BLANK_LINE: Final = "\n\n"


class Worker:
    """One process of the engine. ``call`` one request at a time; the process may die under any of them."""

    def __init__(self, process: asyncio.subprocess.Process, version: str) -> None:
        self.process = process
        self.version = version
        self.games = 0
        self.episodes = 0
        self._turn = asyncio.Lock()

    @classmethod
    async def launch(cls, python: Path | None) -> Worker:
        """A new process. Raises ``missing_extra`` where TextWorld cannot be imported, ``engine_failed``."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(str(python or sys.executable), "-P", original_worker.__file__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE,
                env={**os.environ, "PYTHONPATH": ""},
            )
        except OSError as error:
            raise RestepError("engine_failed", f"{python}: {error.strerror}") from None
        worker = cls(process, "")
        try:
            hello = await worker._answer()
        except EngineLost:
            raise RestepError("engine_failed", "the TextWorld worker ended as it began") from None
        if "missing" in hello:
            await worker.stop()
            raise RestepError("missing_extra", f"{hello['missing']}; pip install 'restep[{EXTRA}]'")
        worker.version = str(hello["ready"])
        return worker

    @property
    def alive(self) -> bool:
        """The process runs."""
        return self.process.returncode is None

    async def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer. Raises EngineLost, ``engine_failed`` with what the engine said.

        Who gives up waiting leaves an answer that nobody reads, so the process is ended then.
        """
        async with self._turn:
            try:
                if self.process.stdin is None or not self.alive:
                    raise EngineLost("the TextWorld worker has ended")
                self.process.stdin.write(orjson.dumps(request) + b"\n")
                await self.process.stdin.drain()
                answer = await self._answer()
            except (ConnectionError, EngineLost) as error:
                raise EngineLost(str(error)) from None
            except asyncio.CancelledError:
                self.kill()
                raise
        if "error" in answer:
            raise RestepError("engine_failed", str(answer["error"]))
        return answer

    async def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line.endswith(b"\n"):
            await self.process.wait()
            raise EngineLost(f"the TextWorld worker ended with {self.process.returncode}")
        return orjson.loads(line)

    def kill(self) -> None:
        """End the process at once."""
        if self.alive:
            self.process.kill()

    async def stop(self) -> None:
        """End the process and wait for it."""
        self.kill()
        await self.process.wait()


class TextWorldEpisode(Episode):
    """One episode on a worker."""

    def __init__(self, engine: TextWorldEngine, worker: Worker, number: int, first: dict[str, Any]) -> None:
        self._room, self._goal = _room_and_goal(str(first["text"]))
        self._engine = engine
        self._worker: Worker | None = worker
        self._number = number
        self._last = first

    @property
    def goal(self) -> str:
        """The task statement of the game."""
        return self._goal

    @property
    def observation(self) -> str:
        """A look around."""
        return self._room

    async def step(self, action: str) -> EngineStep:
        """Execute one action."""
        if self._worker is None:
            raise EngineLost("the episode is closed")
        self._last = await self._worker.call({"do": "step", "episode": self._number, "command": action})
        won = bool(self._last["won"])
        return EngineStep(str(self._last["text"]), float(won), won, won, valid=bool(self._last["valid"]))

    async def admissible_actions(self) -> list[str]:
        """Every command that can be carried out now, sorted; the engine has listed them with its last reply."""
        return list(self._last["admissible"])

    async def close(self) -> None:
        """Let the worker use its environment again."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await self._engine.end(worker, self._number)


class TextWorldEngine:
    """Workers of the original engine; implements :class:`services.alfworld.engine.Engine`."""

    styles = (NEW,)

    def __init__(self, workers: int = 1, python: Path | None = None, games_a_worker: int = GAMES_A_WORKER) -> None:
        self.workers: list[Worker] = []
        self._count = workers
        self._python = python
        self._games = games_a_worker
        self._numbers = itertools.count()
        self._choosing = asyncio.Lock()
        self._restarts = 0
        self._version = ""

    @property
    def version(self) -> str:
        """Versions of TextWorld and alfworld."""
        return self._version

    async def start(self) -> None:
        """Start one worker; the others begin when there is work for them."""
        self.workers = [await Worker.launch(self._python)]
        self._version = self.workers[0].version

    async def stop(self) -> None:
        """End all workers."""
        workers, self.workers = self.workers, []
        for worker in workers:
            await worker.stop()

    async def begin(self, task_id: str, load: Callable[[], GameText], style: str) -> TextWorldEpisode:
        """An episode on the worker with the fewest. Raises ``data_corrupt`` for a game the engine cannot play."""
        text = await asyncio.to_thread(load)
        game = {"pddl_domain": text.domain, "grammar": text.grammar, "pddl_problem": text.problem}
        worker = await self._worker()
        number = next(self._numbers)
        try:
            first = await worker.call({"do": "begin", "episode": number, "game": game})
            return TextWorldEpisode(self, worker, number, first)
        except RestepError as error:
            await self.end(worker, number)
            raise RestepError("data_corrupt", f"{task_id}: {error.detail}") from None
        except BaseException:
            worker.episodes -= 1
            raise

    async def end(self, worker: Worker, number: int) -> None:
        """Give an episode back; a worker that has played enough ends with its last."""
        worker.episodes -= 1
        if worker.games >= self._games and worker.episodes == 0:
            await worker.stop()
            return
        try:
            await worker.call({"do": "end", "episode": number})
        except EngineLost:
            return

    def metrics(self) -> Mapping[str, float]:
        """Gauges of the workers."""
        return {
            "workers_alive": sum(worker.alive for worker in self.workers),
            "worker_restarts": self._restarts,
            "episodes_open": sum(worker.episodes for worker in self.workers),
        }

    async def _worker(self) -> Worker:
        """The worker to begin on, counted as begun; a new one where none is free and there may be more."""
        async with self._choosing:
            ended = [worker for worker in self.workers if not worker.alive]
            self._restarts += len(ended)
            self.workers = [worker for worker in self.workers if worker.alive]
            able = [worker for worker in self.workers if worker.games < self._games]
            if len(able) < self._count and all(worker.episodes for worker in able):
                able.append(await Worker.launch(self._python))
                self.workers.append(able[-1])
            worker = min(able, key=lambda worker: worker.episodes)
            worker.games += 1
            worker.episodes += 1
            return worker


def _room_and_goal(text: str) -> tuple[str, str]:
    """Look and task of a first text, which begins with a banner. Raises ``data_corrupt``."""
    parts = text.split(_BLANK_LINE)
    if len(parts) != 3:
        raise RestepError("data_corrupt", "the game does not begin with a banner, a look and the task")
    return parts[1], parts[2]
