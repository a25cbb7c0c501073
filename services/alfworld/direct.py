"""The default engine as episodes: games are read on a thread of their own, everything else is computed where it is asked.

A step with its list of commands takes some fifty microseconds, so handing it to a thread would cost more than doing it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from services.alfworld.game import NOTHING, Game, open_game
from services.alfworld.rules import Rulebook
from services.alfworld.source import GameText
from services.alfworld.tables import Tables
from services.alfworld.wording import STYLES
from shared.environment import EngineStep, Episode

VERSION: Final = "restep direct 1"
"""Changes when any text or rule does."""

MAX_GAMES: Final = 512
"""Games kept, of about 150 KB each; those in play stay as long as they are played."""


class DirectEpisode(Episode):
    """One play of a game that others may be playing too."""

    __slots__ = ("_game", "_tables", "_won")

    def __init__(self, game: Game) -> None:
        self._game = game
        self._tables: Tables = game.tables
        self._won = game.won(game.tables)

    @property
    def goal(self) -> str:
        """The task statement of the game."""
        return self._game.task

    @property
    def observation(self) -> str:
        """A look around."""
        return self._game.room

    async def step(self, action: str) -> EngineStep:
        """Execute one action."""
        game = self._game
        move = game.find(self._tables, action.strip())
        if move is None:
            return EngineStep(NOTHING, float(self._won), self._won, self._won, valid=False)
        self._tables = game.after(self._tables, move)
        self._won = game.won(self._tables)
        return EngineStep(game.reply(self._tables, move), float(self._won), self._won, self._won, valid=True)

    async def admissible_actions(self) -> list[str]:
        """Every command that can be carried out now, sorted."""
        return self._game.admissible(self._tables)

    async def close(self) -> None:
        """Nothing is held."""


class Games:
    """Games that have been read, the latest :data:`MAX_GAMES`. For one thread at a time."""

    def __init__(self) -> None:
        self._book = Rulebook()
        self._games: OrderedDict[tuple[str, str], Game] = OrderedDict()

    def __len__(self) -> int:
        return len(self._games)

    def known(self, task_id: str, style: str) -> Game | None:
        """The game, where it is at hand."""
        return self._games.get((task_id, style))

    def open(self, task_id: str, load: Callable[[], GameText], style: str) -> Game:
        """The game, read where it is not at hand. Raises ``data_corrupt``, and what ``load`` raises."""
        key = (task_id, style)
        if (game := self._games.get(key)) is None:
            game = self._games[key] = open_game(load(), self._book, style)
            if len(self._games) > MAX_GAMES:
                self._games.popitem(last=False)
        self._games.move_to_end(key)
        return game


class DirectEngine:
    """Interprets games from their own rules; implements :class:`services.alfworld.engine.Engine`."""

    version = VERSION
    styles = STYLES

    def __init__(self) -> None:
        self._games = Games()
        self._reader: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Start the thread that reads."""
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="games")

    async def stop(self) -> None:
        """End it."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.shutdown(cancel_futures=True)

    async def begin(self, task_id: str, load: Callable[[], GameText], style: str) -> DirectEpisode:
        """An episode, at once where the game is at hand."""
        return DirectEpisode(await self.game(task_id, load, style))

    async def game(self, task_id: str, load: Callable[[], GameText], style: str) -> Game:
        """The game itself. Raises ``data_corrupt``, and what ``load`` raises."""
        if (game := self._games.known(task_id, style)) is not None:
            return game
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._games.open, task_id, load, style)

    def metrics(self) -> Mapping[str, float]:
        """How many games are at hand."""
        return {"games_loaded": len(self._games)}
