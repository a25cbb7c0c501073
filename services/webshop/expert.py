"""Advice on a state: the way to the best purchase, a thought on its first action, and the verdict on the last step.

States are worked out anew from the actions so far. What was found out about a goal's products and searches is kept for the
goals asked about last: the first question about a goal takes milliseconds, the others some tens of microseconds. The expert
knows what the shopper does not, which products fit; but it searches with the goal's own words only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from services.webshop.planner import Planner
from services.webshop.state import State
from services.webshop.thoughts import thought
from services.webshop.verdict import Step, judge
from services.webshop.world import World
from shared.environment import EpisodeKey
from shared.protocol import ExpertAdvice

_KEPT: Final = 64


class Expert:
    """Advice on states of any episode in one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._planner = lru_cache(_KEPT)(self._plan)

    def advise(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        """The continuation from ``key`` and the verdict on its last action.

        It earns the most that the steps left suffice for, and is ``reachable`` when that is success. Raises ``unknown_task``.
        """
        planner = self._planner(key.task_id)
        past, after = [State(seed=key.seed)], None
        for action in key.actions:
            if after is not None:
                past.append(after)
            after = self._world.shop.after(past[-1], action)
        now, left = past[-1] if after is None else after, max_steps - len(key.actions)
        way = planner.way(now, left)
        return ExpertAdvice(
            seq=len(key.actions),
            actions=[] if way is None else list(way.actions),
            thought=thought(planner, now, way),
            reachable=way is not None and way.reward == 1.0,
            verdict=judge(planner, Step(past, key.actions[-1], after), left) if key.actions else None,
        )

    def _plan(self, task_id: str) -> Planner:
        return Planner(self._world, self._world.tasks.goal(task_id))
