"""Advice on a state: the way of the chosen expert to the goal, and the verdict on the last step.

Everything is worked out anew from the actions so far, on the direct engine whichever one plays: a step replayed takes
some fifty microseconds and a plan about five milliseconds, on a thread of their own.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from services.alfworld.direct import Games
from services.alfworld.explorer import Explorer, Seen
from services.alfworld.game import Game, Move
from services.alfworld.planner import Planner
from services.alfworld.source import GameText
from services.alfworld.tables import Tables
from services.alfworld.thoughts import thought
from services.alfworld.verdict import Step, judge
from shared.environment import EpisodeKey
from shared.protocol import ExpertAdvice, StepVerdict

EXPLORER: Final = "explorer"
PLANNER: Final = "planner"

_KEPT: Final = 128


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of an episode: its facts, what it has shown, and the move that led there (None for no move)."""

    tables: Tables
    seen: Seen
    move: Move | None = None


class Expert:
    """Advice on states of any episode."""

    def __init__(self, load: Callable[[str], GameText]) -> None:
        self._load = load
        self._games = Games()
        self._planners: OrderedDict[int, Planner] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="expert")

    async def advise(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        """The continuation from ``key`` and the verdict on its last action.

        Raises ``expert_failed`` for a game whose goal the expert does not know, ``data_corrupt``, ``unknown_task``.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._advise, key, max_steps)

    def close(self) -> None:
        """End the thread. Idempotent."""
        self._thread.shutdown(cancel_futures=True)

    def _advise(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        options = dict(key.options)
        game = self._games.open(key.task_id, lambda: self._load(key.task_id), options["action_style"])
        planner = self._planner(game)
        explorer = Explorer(planner)
        moments = replay(game, explorer, key.actions)
        now, left = moments[-1], max_steps - len(key.actions)
        way = shortest = planner.plan(now.tables)
        seen = explorer.everything()
        if options.get("expert", EXPLORER) == EXPLORER:
            seen = now.seen
            way = explorer.way(now.tables, seen) if shortest is not None else None
        verdict = None
        if len(moments) > 1:
            verdict = _verdict(planner, explorer, moments, None if shortest is None else len(shortest), left)
        return ExpertAdvice(
            seq=len(key.actions),
            actions=[game.command(move) for move in way or ()],
            thought=thought(planner, explorer, seen, way or ()),
            reachable=way is not None and len(way) <= left,
            verdict=verdict,
        )

    def _planner(self, game: Game) -> Planner:
        planner = self._planners.get(id(game))
        if planner is None or planner.game is not game:
            planner = self._planners[id(game)] = Planner(game)
            if len(self._planners) > _KEPT:
                self._planners.popitem(last=False)
        return planner


def replay(game: Game, explorer: Explorer, actions: Sequence[str]) -> list[Moment]:
    """Every state of an episode, the first included."""
    moments = [Moment(game.tables, Seen())]
    for action in actions:
        last = moments[-1]
        move = game.find(last.tables, action.strip())
        if move is None:
            moments.append(Moment(last.tables, last.seen))
        else:
            tables = game.after(last.tables, move)
            moments.append(Moment(tables, explorer.saw(last.seen, move, tables), move))
    return moments


def _verdict(planner: Planner, explorer: Explorer, moments: Sequence[Moment], after: int | None, left: int) -> StepVerdict:
    earlier, now = moments[-2], moments[-1]
    before = planner.plan(earlier.tables)
    known_before = explorer.known_way(earlier.tables, earlier.seen)
    known_after = explorer.known_way(now.tables, now.seen)
    target = explorer.target(now.move) if now.move is not None else None
    discovers = target is not None and (target not in earlier.seen.visited or now.seen.inside != earlier.seen.inside)
    advised = False
    if now.move is not None and not discovers and before is not None:
        advised = (explorer.way(earlier.tables, earlier.seen) or [None])[0] == now.move
    step = Step(
        valid=now.move is not None,
        won=planner.game.won(now.tables),
        before=None if before is None else len(before),
        after=after,
        known_before=None if known_before is None else len(known_before),
        known_after=None if known_after is None else len(known_after),
        discovers=discovers,
        advised=advised,
    )
    return judge(step, left)
