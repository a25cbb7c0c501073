"""The client for code without an event loop: the asynchronous one, run by a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Self, TypeVar

from shared.client.environment import EnvironmentClient
from shared.client.episode import RemoteEpisode
from shared.client.transport import RetryPolicy
from shared.errors import RestepError
from shared.protocol import EnvironmentInfo, ExpertAdvice, Extra, SessionView, StepResult, TaskInfo

T = TypeVar("T")


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="restep-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run and wait; an interrupt here (Ctrl-C) cancels the work there."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the thread. Idempotent."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class SyncEpisode:
    """:class:`RemoteEpisode` with blocking methods."""

    def __init__(self, loop: _Loop, episode: RemoteEpisode) -> None:
        self._loop = loop
        self.remote = episode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def view(self) -> SessionView:
        """The session as it was opened."""
        return self.remote.view

    @property
    def steps(self) -> list[StepResult]:
        """What was played since."""
        return self.remote.steps

    @property
    def over(self) -> bool:
        """The engine or the step limit ended the episode."""
        return self.remote.over

    @property
    def score(self) -> float:
        """The benchmark's score so far, as a fraction."""
        return self.remote.score

    def step(self, action: str) -> StepResult:
        """See :meth:`RemoteEpisode.step`."""
        return self._loop.run(self.remote.step(action))

    def expert(self) -> ExpertAdvice:
        """See :meth:`RemoteEpisode.expert`."""
        return self._loop.run(self.remote.expert())

    def fork(self, at_seq: int | None = None) -> SyncEpisode:
        """See :meth:`RemoteEpisode.fork`."""
        return SyncEpisode(self._loop, self._loop.run(self.remote.fork(at_seq)))

    def close(self) -> None:
        """See :meth:`RemoteEpisode.close`."""
        self._loop.run(self.remote.close())


class SyncEnvironmentClient:
    """:class:`EnvironmentClient` with blocking methods; may be used from several threads."""

    def __init__(
        self,
        base_url: str | Sequence[str],
        token: str | None = None,
        *,
        concurrency: int = 64,
        timeout: float = 150.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        """See :class:`EnvironmentClient`."""
        self._client = EnvironmentClient(base_url, token, concurrency=concurrency, timeout=timeout, retry=retry)
        self._loop = _Loop()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and end the thread. Idempotent."""
        if not self._closed:
            self._closed = True
            self._loop.run(self._client.close())
            self._loop.stop()

    def info(self) -> EnvironmentInfo:
        """See :meth:`EnvironmentClient.info`."""
        return self._loop.run(self._client.info())

    def tasks(self, split: str | None = None, type: str | None = None) -> list[TaskInfo]:
        """See :meth:`EnvironmentClient.tasks`."""
        return self._loop.run(self._client.tasks(split, type))

    def open(
        self,
        task_id: str | None = None,
        *,
        split: str | None = None,
        index: int | None = None,
        seed: int = 0,
        max_steps: int | None = None,
        options: Mapping[str, str] | None = None,
        include: Sequence[Extra] = (),
    ) -> SyncEpisode:
        """See :meth:`EnvironmentClient.open`."""
        opening = self._client.open(
            task_id, split=split, index=index, seed=seed, max_steps=max_steps, options=options, include=include
        )
        return SyncEpisode(self._loop, self._loop.run(opening))

    def open_many(self, tasks: Sequence[tuple[str, int]], **settings: Any) -> list[SyncEpisode]:
        """Begin an episode of each (task id, seed) at once; ``settings`` as for :meth:`open`.

        Either all are open or, when one fails, none: those that had begun are closed.
        """
        return [SyncEpisode(self._loop, episode) for episode in self._loop.run(self._open_many(tasks, settings))]

    async def _open_many(self, tasks: Sequence[tuple[str, int]], settings: Mapping[str, Any]) -> list[RemoteEpisode]:
        opening = (self._client.open(task_id, seed=seed, **settings) for task_id, seed in tasks)
        results = await asyncio.gather(*opening, return_exceptions=True)
        episodes = [result for result in results if isinstance(result, RemoteEpisode)]
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await asyncio.gather(*(episode.close() for episode in episodes))
            raise failures[0]
        return episodes

    def step_batch(self, moves: Sequence[tuple[SyncEpisode, str]]) -> list[StepResult | RestepError]:
        """See :meth:`EnvironmentClient.step_batch`."""
        return self._loop.run(self._client.step_batch([(episode.remote, action) for episode, action in moves]))
