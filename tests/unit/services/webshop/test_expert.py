"""The expert at work, as the server asks it: its ways succeed, and it never calls its own steps wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.expert import Expert
from services.webshop.planner import Planner
from services.webshop.state import Place, State
from services.webshop.world import World
from shared.environment import EpisodeKey
from shared.errors import RestepError
from shared.protocol import ERROR_DECISIONS, ExpertAdvice
from tests.support.webshop import ideas


@pytest.fixture(scope="module")
def expert(embedded: World) -> Expert:
    return Expert(embedded)


def ask(expert: Expert, task: str, actions: list[str], max_steps: int = 15) -> ExpertAdvice:
    return expert.advise(EpisodeKey(task, 0, (("observation", "text"),), tuple(actions)), max_steps)


@pytest.mark.parametrize("task", ["synthetic-0", "synthetic-700", "synthetic-4000", "human-0", "human-62"])
def test_following_the_advice_succeeds_without_a_wrong_step(expert: Expert, embedded: World, task: str) -> None:
    first = ask(expert, task, [])
    assert (first.seq, first.verdict, first.reachable) == (0, None, True)
    state = State()
    for number, action in enumerate(first.actions, start=1):
        state = embedded.shop.after(state, action) or state
        advice = ask(expert, task, first.actions[:number])
        assert (advice.seq, advice.actions) == (number, first.actions[number:])
        assert bool(advice.thought) is bool(advice.actions)
        assert advice.verdict is not None
        assert advice.verdict.decision == "useful"
    assert state.place is Place.DONE
    assert embedded.reward(embedded.tasks.goal(task), state).total == 1.0
    last = ask(expert, task, first.actions)
    assert last.verdict is not None
    assert (last.verdict.distance_before, last.verdict.distance_after) == (1, 0)
    assert (last.actions, last.thought, last.reachable) == ([], "", False)


@given(st.data())
def test_from_anywhere_the_advice_leads_to_the_best_purchase(expert: Expert, embedded: World, data: st.DataObject) -> None:
    tasks = embedded.tasks.select()
    task = tasks[data.draw(st.integers(0, len(tasks) - 1))].id
    goal = embedded.tasks.goal(task)
    planner, actions, state = Planner(embedded, goal), list[str](), State()
    for _ in range(data.draw(st.integers(0, 8))):
        action = data.draw(st.sampled_from(ideas(planner, state)))
        after = embedded.shop.after(state, action)
        if after is None or after.place is not Place.DONE:
            actions.append(action)
            state = state if after is None else after
    advice = ask(expert, task, actions)
    assert advice.reachable
    for action in advice.actions:
        state = embedded.shop.after(state, action) or state
        actions.append(action)
        verdict = ask(expert, task, actions).verdict
        assert verdict is not None
        assert verdict.decision not in ERROR_DECISIONS
        assert verdict.distance_after is not None
        assert verdict.distance_before == verdict.distance_after + 1
    assert state.place is Place.DONE
    assert embedded.reward(goal, state).total == 1.0


def test_what_was_ignored_changes_nothing_but_the_count(expert: Expert) -> None:
    first = ask(expert, "synthetic-5", [])
    after = ask(expert, "synthetic-5", ["dance", "click[xyzzy]"])
    assert (after.seq, after.actions, after.thought) == (2, first.actions, first.thought)
    assert after.verdict is not None
    assert after.verdict.decision == "invalid"


def test_success_is_out_of_reach_when_too_few_steps_are_left(expert: Expert) -> None:
    needed = len(ask(expert, "synthetic-5", []).actions)
    assert ask(expert, "synthetic-5", [], needed).reachable
    late = ask(expert, "synthetic-5", [], needed - 1)
    assert not late.reachable
    assert 0 < len(late.actions) < needed
    nothing = ask(expert, "synthetic-5", [], 1)
    assert (nothing.actions, nothing.thought, nothing.reachable) == ([], "", False)


def test_random_products_are_those_that_the_session_sees(expert: Expert, embedded: World) -> None:
    planner = Planner(embedded, embedded.tasks.goal("synthetic-5"))
    opened: set[bool] = set()
    for seed in range(400):
        advice = expert.advise(EpisodeKey("synthetic-5", seed, (), ("search[<r> any]",)), 15)
        first_page = embedded.shop.results("<r> any", seed)[:10]
        right = [f"click[{embedded.shop.catalogue[number].asin}]" for number in first_page if planner.right(number)]
        assert (advice.actions[0] in right) is bool(right)
        opened.add(bool(right))
    assert opened == {True, False}


def test_an_unknown_task_is_told(expert: Expert) -> None:
    with pytest.raises(RestepError) as failure:
        ask(expert, "synthetic-1000000", [])
    assert failure.value.code == "unknown_task"
