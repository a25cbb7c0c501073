"""The expert on the real simulator: constructed steps of every kind, and advice that keeps what it promises."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from services.sciworld.environment import SciWorld
from services.sciworld.house import ROOMS, Surroundings
from shared.environment import EpisodeKey
from shared.protocol import ExpertAdvice, StepVerdict

pytestmark = pytest.mark.asyncio(loop_scope="module")
MANY = 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sciworld(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SciWorld]:
    cache: Path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTEP_CACHE", str(cache))
        environment = SciWorld(workers=1)
    await environment.start()
    yield environment
    await environment.stop()


def _key(task: str, *actions: str, simplification: str = "") -> EpisodeKey:
    return EpisodeKey(task, 0, (("simplification", simplification),), actions)


async def _advice(sciworld: SciWorld, task: str, *actions: str, max_steps: int = MANY) -> ExpertAdvice:
    return await sciworld.expert(_key(task, *actions), max_steps)


async def _verdict(sciworld: SciWorld, task: str, *actions: str, max_steps: int = MANY) -> StepVerdict:
    verdict = (await _advice(sciworld, task, *actions, max_steps=max_steps)).verdict
    assert verdict is not None
    return verdict


async def _finish(sciworld: SciWorld, task: str, actions: Sequence[str], simplification: str = "") -> bool:
    """Play ``actions`` in a live episode; whether the goal is reached by the last of them."""
    episode = await sciworld.reset(task, 0, {"simplification": simplification})
    steps = [await episode.step(action) for action in actions]
    await episode.close()
    assert not any(step.done for step in steps[:-1])
    return steps[-1].success


async def test_the_first_advice_is_a_way_to_the_goal(sciworld: SciWorld) -> None:
    advice = await _advice(sciworld, "find-plant/0")
    assert (advice.seq, advice.verdict, advice.reachable) == (0, None, True)
    assert advice.thought.startswith("I need the ")
    assert await _finish(sciworld, "find-plant/0", advice.actions)


async def test_the_first_plan_leaves_out_detours(sciworld: SciWorld) -> None:
    task = "chemistry-mix-paint-secondary-color/0"
    advice = await _advice(sciworld, task)
    assert [action for action in advice.actions if action.startswith("go to")] == ["go to art studio"]
    assert await _finish(sciworld, task, advice.actions)


async def test_teleporting_is_used_where_it_is_allowed(sciworld: SciWorld) -> None:
    advice = await sciworld.expert(_key("find-plant/0", simplification="easy"), MANY)
    assert any(action.startswith("teleport to") for action in advice.actions)
    assert not any(action.startswith("go to") for action in advice.actions)
    assert await _finish(sciworld, "find-plant/0", advice.actions, "easy")


async def test_following_the_plan_is_useful_to_the_end(sciworld: SciWorld) -> None:
    plan = (await _advice(sciworld, "find-non-living-thing/0")).actions
    for done in range(1, len(plan) + 1):
        advice = await _advice(sciworld, "find-non-living-thing/0", *plan[:done])
        assert advice.verdict is not None
        assert advice.verdict.decision == "useful"
        assert advice.verdict.distance_after == len(plan) - done
        assert advice.actions == plan[done:]
        assert advice.reachable


@pytest.mark.parametrize(
    ("action", "decision", "reason"),
    [
        ("dance", "invalid", "not an action"),
        ("pick up thermometer", "invalid", "no thermometer to be seen in the hallway"),
        ("reset task", "invalid", "not an action"),
        ("look around", "needless", "shows nothing new"),
        ("wait1", "needless", "nothing has to be waited for"),
        ("open door to bedroom", "needless", "the way does not lead to the bedroom"),
        ("go to kitchen", "needless", "the door to the kitchen was not open"),
    ],
)
async def test_useless_first_steps(sciworld: SciWorld, action: str, decision: str, reason: str) -> None:
    verdict = await _verdict(sciworld, "find-plant/0", action)
    assert verdict.decision == decision
    assert reason in verdict.reason
    assert verdict.distance_after == verdict.distance_before


async def test_a_wrong_room_is_harmful_and_the_way_leads_back(sciworld: SciWorld) -> None:
    astray = ["open door to workshop", "go to workshop"]
    advice = await _advice(sciworld, "find-plant/0", *astray)
    assert advice.verdict is not None
    assert advice.verdict.decision == "harmful"
    assert advice.verdict.reason == "this moved away from the greenhouse, where the task goes on"
    assert advice.actions[0] == "go to hallway"
    assert await _finish(sciworld, "find-plant/0", [*astray, *advice.actions])


async def test_closing_the_door_again_is_harmful(sciworld: SciWorld) -> None:
    verdict = await _verdict(sciworld, "find-plant/0", "open door to greenhouse", "close door to greenhouse")
    assert (verdict.decision, verdict.distance_after) == ("harmful", (verdict.distance_before or 0) + 1)


async def test_a_wrong_focus_is_fatal(sciworld: SciWorld) -> None:
    advice = await _advice(sciworld, "lifespan-longest-lived/0", "focus on agent")
    assert advice.verdict is not None
    assert (advice.verdict.decision, advice.actions, advice.reachable) == ("fatal", [], False)
    assert "the agent is not what the task asks to focus on" in advice.verdict.reason


async def test_another_right_answer_is_useful(sciworld: SciWorld) -> None:
    """Any living thing does: the plan goes on with the one that was chosen."""
    task = "find-living-thing/0"
    plan = (await _advice(sciworld, task)).actions
    focus = next(i for i, action in enumerate(plan) if action.startswith("focus on"))
    episode = await sciworld.reset(task, 0, {})
    for action in plan[:focus]:
        await episode.step(action)
    offered = await episode.admissible_actions()
    await episode.close()
    chosen = "focus on dove"
    assert chosen in offered
    assert chosen != plan[focus]
    advice = await _advice(sciworld, task, *plan[:focus], chosen)
    assert advice.verdict is not None
    assert advice.verdict.decision == "useful"
    assert await _finish(sciworld, task, [*plan[:focus], chosen, *advice.actions])


async def test_heat_taken_away_is_given_back(sciworld: SciWorld) -> None:
    plan = (await _advice(sciworld, "melt/0")).actions
    lit = plan.index("activate stove") + 1
    done = [*plan[:lit], "deactivate stove"]
    advice = await _advice(sciworld, "melt/0", *done)
    assert advice.reachable
    assert advice.verdict is not None
    assert advice.verdict.decision in {"harmful", "needless"}
    assert await _finish(sciworld, "melt/0", [*done, *advice.actions])


async def test_a_broken_circuit_is_mended(sciworld: SciWorld) -> None:
    plan = (await _advice(sciworld, "power-component/0")).actions
    wired = next(i for i, action in enumerate(plan) if action.startswith("connect")) + 2
    done = [*plan[:wired], "disconnect " + plan[wired - 1].split(" to ")[1].split(" terminal")[0]]
    advice = await _advice(sciworld, "power-component/0", *done)
    assert advice.verdict is not None
    assert advice.verdict.decision == "harmful"
    assert await _finish(sciworld, "power-component/0", [*done, *advice.actions])


async def test_spilt_paint_is_fatal_or_made_good(sciworld: SciWorld) -> None:
    task = "chemistry-mix-paint-secondary-color/0"
    plan = (await _advice(sciworld, task)).actions
    pour = next(i for i, action in enumerate(plan) if action.startswith("pour"))
    vessel = plan[pour].removeprefix("pour ").split(" in art studio")[0]
    done = [*plan[:pour], f"pour {vessel} in art studio in art studio"]
    advice = await _advice(sciworld, task, *done)
    assert advice.verdict is not None
    if advice.reachable:
        assert await _finish(sciworld, task, [*done, *advice.actions])
    else:
        assert advice.verdict.decision == "fatal"
        assert "continuations tried" in advice.verdict.reason


async def test_an_ambiguous_request_is_answered(sciworld: SciWorld) -> None:
    plan = (await _advice(sciworld, "grow-plant/0")).actions
    asked = plan.index("0")
    other = [*plan[:asked], "1"]
    advice = await _advice(sciworld, "grow-plant/0", *other)
    assert advice.verdict is not None
    assert advice.verdict.decision == "useful"
    assert await _finish(sciworld, "grow-plant/0", [*other, *advice.actions])


async def test_an_answer_that_is_none_costs_the_question(sciworld: SciWorld) -> None:
    plan = (await _advice(sciworld, "grow-plant/0")).actions
    asked = plan.index("0")
    advice = await _advice(sciworld, "grow-plant/0", *plan[:asked], "look around")
    assert advice.verdict is not None
    assert advice.verdict.decision == "needless"
    assert advice.verdict.reason == "the simulator asked for one of its numbers, and this is none"
    assert advice.actions[:2] == plan[asked - 1 : asked + 1]


async def test_the_limit_counts_only_at_the_end(sciworld: SciWorld) -> None:
    plan = (await _advice(sciworld, "find-plant/0")).actions
    enough = await _advice(sciworld, "find-plant/0", "wait1", max_steps=len(plan) + 1)
    short = await _advice(sciworld, "find-plant/0", "wait1", max_steps=len(plan))
    assert enough.verdict is not None
    assert short.verdict is not None
    assert (enough.reachable, enough.verdict.decision) == (True, "needless")
    assert (short.reachable, short.verdict.decision) == (False, "fatal")
    assert short.actions == enough.actions
    assert f"takes {len(plan)} more actions and only {len(plan) - 1} are left" in short.verdict.reason


async def test_a_dead_engine_costs_no_answer(sciworld: SciWorld) -> None:
    await _advice(sciworld, "find-plant/0", "wait1")
    pid = sciworld.shards[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    after = await _advice(sciworld, "find-plant/0", "wait1", "open door to bedroom")
    assert after.verdict is not None
    assert after.verdict.decision == "needless"
    assert await _finish(sciworld, "find-plant/0", ["wait1", "open door to bedroom", *after.actions])


async def test_the_map_is_the_engine_s(sciworld: SciWorld) -> None:
    episode = await sciworld.reset("boil/0", 0, {"simplification": "openDoors,teleportAction"})
    for room, places in ROOMS.items():
        await episode.step(f"teleport to {room}")
        here = Surroundings.read((await episode.step("look around")).observation)
        assert (here.room, sorted(here.doors)) == (room, sorted(places))
    await episode.close()


async def test_another_animal_will_do_when_the_planned_one_is_gone(sciworld: SciWorld) -> None:
    """Ten ticks of waiting are longer than some of them live."""
    task = "find-animal/286"
    plan = (await _advice(sciworld, task)).actions
    focus = next(i for i, action in enumerate(plan) if action.startswith("focus on"))
    done = [*plan[:focus], "wait"]
    advice = await _advice(sciworld, task, *done)
    assert advice.reachable
    assert await _finish(sciworld, task, [*done, *advice.actions])
