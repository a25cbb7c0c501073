"""What the expert promises over many tasks: whenever it said ``reachable``, following it reaches the goal.

Random deviations are drawn from what the simulator would take, verb by verb, with a fixed seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.sciworld.environment import SciWorld, SciWorldEpisode
from services.sciworld.expert import MILESTONE
from services.sciworld.tasks import VARIATIONS
from shared.environment import EpisodeKey
from shared.protocol import ExpertAdvice

pytestmark = pytest.mark.asyncio(loop_scope="module")
MANY = 2000
OPTIONS = {"simplification": ""}
SHORT = (
    "find-living-thing",
    "find-non-living-thing",
    "find-plant",
    "find-animal",
    "lifespan-longest-lived",
    "lifespan-shortest-lived",
    "lifespan-longest-lived-then-shortest-lived",
    "chemistry-mix-paint-secondary-color",
    "power-component",
    "identify-life-stages-2",
)
LONG = (
    "change-the-state-of-matter-of",
    "chemistry-mix",
    "chemistry-mix-paint-tertiary-color",
    "freeze",
    "grow-plant",
    "identify-life-stages-1",
    "melt",
    "power-component-renewable-vs-nonrenewable-energy",
    "test-conductivity",
    "test-conductivity-of-unknown-substances",
    "use-thermometer",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sciworld() -> AsyncIterator[SciWorld]:
    environment = SciWorld(workers=2)
    await environment.start()
    yield environment
    await environment.stop()


async def _ask(sciworld: SciWorld, task: str, actions: list[str]) -> ExpertAdvice:
    return await sciworld.expert(EpisodeKey(task, 0, tuple(OPTIONS.items()), tuple(actions)), MANY)


async def _deviation(episode: SciWorldEpisode, chance: random.Random) -> str:
    """A random action that the simulator takes; every verb is as likely as any other."""
    by_verb: dict[str, list[str]] = {}
    for action in await episode.admissible_actions():
        by_verb.setdefault(action.split()[0], []).append(action)
    by_verb.pop("focus", None)  # nearly always the end at once
    return chance.choice(by_verb[chance.choice(sorted(by_verb))])


async def _play(sciworld: SciWorld, task: str, chance: random.Random) -> bool:
    """Play with up to three deviations, following the advice in between; False when it was told to be hopeless."""
    episode = await sciworld.reset(task, 0, OPTIONS)
    advice = await _ask(sciworld, task, [])
    played: list[str] = []
    places = set(chance.sample(range(len(advice.actions)), min(3, len(advice.actions))))
    try:
        while True:
            deviate = len(played) in places
            action = await _deviation(episode, chance) if deviate else advice.actions[0]
            step = await episode.step(action)
            played.append(action)
            if step.done:
                assert step.success or deviate, f"{task}: the advice lost the episode: {played}"
                return step.success
            advice = await _ask(sciworld, task, played)
            assert advice.verdict is not None
            assert deviate or advice.verdict.decision == "useful"
            if not advice.reachable:
                assert deviate, f"{task}: the promise was broken: {played}"
                assert advice.verdict.decision == "fatal"
                return False
            assert advice.actions
            assert advice.thought
    finally:
        await episode.close()


@pytest.mark.parametrize("task", SHORT)
async def test_what_was_called_reachable_is_reached(sciworld: SciWorld, task: str) -> None:
    chance = random.Random(f"{task} 1")
    await _play(sciworld, f"{task}/{chance.randrange(sum(VARIATIONS[task]))}", chance)


@pytest.mark.slow
@pytest.mark.parametrize("task", LONG)
async def test_what_was_called_reachable_is_reached_in_long_tasks(sciworld: SciWorld, task: str) -> None:
    chance = random.Random(f"{task} 2")
    await _play(sciworld, f"{task}/{chance.randrange(sum(VARIATIONS[task]))}", chance)


async def test_most_deviations_can_be_made_good(sciworld: SciWorld) -> None:
    chance = random.Random(7)
    outcomes = [await _play(sciworld, f"{task}/1", chance) for task in ("find-plant", "find-animal", "lifespan-longest-lived")]
    assert sum(outcomes) >= 2


PREFIX = ["open door to kitchen", "go to kitchen", "pick up lighter", "look around", "go to hallway", "wait1"]


async def _verdicts(sciworld: SciWorld, order: list[int]) -> dict[int, ExpertAdvice]:
    return {length: await _ask(sciworld, "find-plant/5", PREFIX[:length]) for length in order}


async def test_verdicts_do_not_depend_on_order_or_company(sciworld: SciWorld) -> None:
    forward = await _verdicts(sciworld, [1, 2, 3, 4, 5, 6])
    other = SciWorld(workers=1)
    await other.start()
    try:
        episode = await other.reset("boil/3", 0, OPTIONS)
        busy = asyncio.gather(*(episode.step("wait1") for _ in range(1)), _ask(other, "find-plant/6", ["wait1"]))
        backward = await _verdicts(other, [6, 3, 5, 1, 4, 2])
        await busy
        again = await _verdicts(other, [2, 6])
    finally:
        await other.stop()
    assert forward == backward
    assert again == {2: forward[2], 6: forward[6]}


async def test_asking_leaves_the_live_episode_alone(sciworld: SciWorld) -> None:
    """Greenhouse with bees: every tick draws random numbers, so any disturbance would show."""
    actions = ["open door to greenhouse", "go to greenhouse", "open bee hive", *["wait1", "look around"] * 6]

    async def play(ask: bool) -> list[str]:
        episode = await sciworld.reset("mendelian-genetics-known-plant/1", 0, OPTIONS)
        texts: list[str] = []
        for number, action in enumerate(actions):
            texts.append((await episode.step(action)).observation)
            if ask and number % 3 == 0:
                await asyncio.gather(_ask(sciworld, "find-plant/7", ["wait1"] * (number + 1)), episode.admissible_actions())
        await episode.close()
        return texts

    assert await play(ask=True) == await play(ask=False)


async def test_many_questions_at_once_are_worked_out_once(sciworld: SciWorld) -> None:
    answers = await asyncio.gather(*(_ask(sciworld, "find-animal/9", ["open door to kitchen", "wait1"]) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)


async def test_a_verdict_from_a_state_kept_on_the_way_equals_one_from_the_beginning(
    sciworld: SciWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = (await _ask(sciworld, "boil/3", [])).actions
    played = [*plan[: MILESTONE + 3], "wait1"]
    kept = await _ask(sciworld, "boil/3", played)
    monkeypatch.setattr("services.sciworld.expert.MILESTONE", len(plan) + 1)
    other = SciWorld(workers=1)
    await other.start()
    try:
        assert await _ask(other, "boil/3", played) == kept
    finally:
        await other.stop()
