"""What either engine offers the environment: an episode of a game, in one of the wordings it speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from services.alfworld.source import GameText
from shared.environment import Episode


class Engine(Protocol):
    """Plays games. Its episodes state the game's own goal."""

    @property
    def version(self) -> str:
        """Name and version, as stamped into data."""
        ...

    @property
    def styles(self) -> tuple[str, ...]:
        """The wordings it speaks; see :mod:`services.alfworld.wording`."""
        ...

    async def start(self) -> None:
        """Load what must be there before the first game. Raises ``missing_extra``, ``engine_failed``."""
        ...

    async def stop(self) -> None:
        """End what :meth:`start` began. Idempotent."""
        ...

    async def begin(self, task_id: str, load: Callable[[], GameText], style: str) -> Episode:
        """An episode of the game that ``load`` reads, maybe on another thread. Raises ``data_corrupt``, EngineLost."""
        ...

    def metrics(self) -> Mapping[str, float]:
        """Gauges, by snake_case name."""
        ...
