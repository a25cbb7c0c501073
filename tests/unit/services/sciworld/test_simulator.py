"""Simulators that share a JVM: isolation, scores, the free calls, and what is not understood."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sciworld.jvm import Jvm
from services.sciworld.simulator import NOT_UNDERSTOOD, Reply, Simulator, World, is_reset
from services.sciworld.tasks import VARIATIONS
from shared.errors import EngineLost


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    jvm = Jvm()
    yield World(jvm)
    jvm.kill()


def play(simulator: Simulator, actions: list[str]) -> list[Reply]:
    return [simulator.step(action) for action in actions]


def test_an_episode_begins_with_description_and_look(world: World) -> None:
    simulator = Simulator(world)
    assert simulator.load("boil", 0).startswith("Your task is to boil water.")
    assert simulator.look().startswith("This room is called the ")
    assert "In your inventory, you see:" in simulator.inventory()


def test_the_gold_path_reaches_the_goal(world: World) -> None:
    simulator = Simulator(world)
    actions = simulator.gold("find-plant", 3)
    replies = play(simulator, actions)
    assert replies[-1].score == 1.0
    assert replies[-1].completed
    assert all(reply.valid for reply in replies)
    assert simulator.gold("find-plant", 3) == actions


def test_a_wrong_focus_loses_and_the_score_does_not_outlive_the_episode(world: World) -> None:
    simulator = Simulator(world)
    simulator.load("find-plant", 3)
    lost = simulator.step("focus on agent")
    assert (lost.score, lost.done, lost.completed) == (-1.0, True, False)
    simulator.load("find-plant", 3)
    fresh = simulator.step("task")  # answered before the engine computes a score: it reports what is left over
    assert (fresh.score, fresh.done) == (0.0, False)


@pytest.mark.parametrize("spelling", ["reset task", "RESET  Task", " reset the task\n", "reset\ttask", "reset task\x00"])
def test_reset_task_revives_nothing(world: World, spelling: str) -> None:
    simulator = Simulator(world)
    simulator.load("find-plant", 3)
    simulator.step("focus on agent")
    before = simulator.progress()
    assert simulator.step(spelling) == Reply(NOT_UNDERSTOOD, -1.0, completed=False)
    assert simulator.progress() == before
    assert "reset task" not in simulator.valid_actions()


@given(st.lists(st.sampled_from(["reset", "task", "the", "a", "resettask", "now"]), max_size=5))
def test_only_reset_and_task_in_this_order_are_a_reset(words: list[str]) -> None:
    assert is_reset(" ".join(words)) == ([word for word in words if word not in {"the", "a"}] == ["reset", "task"])


def test_the_engine_itself_reads_these_spellings_as_a_reset(world: World) -> None:
    engine = world.construct()
    engine.load("find-plant", 3, "", False)
    for spelling in ["reset task", "RESET  Task", " reset the task\n", "reset task\x00"]:
        assert engine.step(spelling) == "You reset the goal progress and focus."


def test_not_understood_is_told_from_refused(world: World) -> None:
    simulator = Simulator(world)
    simulator.load("boil", 0)
    assert not simulator.step("make tea").valid
    assert not simulator.step("").valid
    refused = simulator.step("go to kitchen")
    assert refused.valid is (refused.observation != NOT_UNDERSTOOD)
    assert simulator.step("look around").valid
    assert simulator.step("help").valid


def test_an_ambiguous_request_is_understood_and_waits_for_a_number(world: World) -> None:
    simulator = Simulator(world)
    simulator.load("chemistry-mix", 14, "easy")
    simulator.step("teleport to art studio")
    question = simulator.step("pour paint on wood cup into cup containing yellow paint in art studio")
    assert question.valid
    assert question.observation.startswith("Ambiguous request")
    assert simulator.valid_actions()[:2] == ["0", "1"]
    wrong = simulator.step("the first one")
    assert not wrong.valid
    assert wrong.observation.startswith("Unknown action.")
    assert len(simulator.valid_actions()) > 20  # the question is withdrawn


@pytest.mark.parametrize(
    ("task", "variation"), [("mendelian-genetics-known-plant", 5), ("grow-fruit", 12), ("lifespan-longest-lived", 3)]
)
def test_asking_for_valid_actions_changes_nothing(world: World, task: str, variation: int) -> None:
    """Bees and genes draw random numbers as the simulation runs, and so do the names in the list of valid actions."""
    asked, left_alone = Simulator(world), Simulator(world)
    asked.load(task, variation, "easy")
    left_alone.load(task, variation, "easy")
    chance = random.Random(task)
    for _ in range(25):
        first = asked.valid_actions()
        assert asked.valid_actions() == first
        action = chance.choice([*first, "wait", "wait"])
        assert asked.step(action) == left_alone.step(action)
        assert asked.look() == left_alone.look()


def test_the_valid_actions_are_the_engines_own(world: World) -> None:
    simulator = Simulator(world)
    simulator.load("melt", 18)
    listed = simulator.valid_actions()
    world.park()
    engine = world.construct()
    engine.load("melt", 18, "", False)
    expected = list(engine.getValidActionObjectCombinations())
    assert sorted([*listed, "reset task"]) == sorted(expected)


ODD = ["help", "OBJECTS", " task ", "dance", "", "0", "1", "look around", "inventory", "wait", "wait1", "a\x1fb"]
"""Besides valid actions: what the engine's front end answers itself, what is not understood, numbers for its questions."""


@pytest.mark.parametrize(
    ("task", "variation", "simplification"),
    [("mendelian-genetics-known-plant", 5, ""), ("grow-fruit", 12, "easy"), ("chemistry-mix", 14, "easy"), ("boil", 3, "")],
)
def test_a_step_equals_the_engines_own(world: World, task: str, variation: int, simplification: str) -> None:
    """The engine's own front end looks around before each step, keeps a history and prints; none of it may matter."""
    ours, theirs = Simulator(world), Simulator(world)
    ours.load(task, variation, simplification)
    theirs.load(task, variation, simplification)
    engine: Any = theirs._engine  # pyright: ignore[reportPrivateUsage]
    chance = random.Random(task)
    actions: list[str] = []
    for number in range(40):
        if number % 4 == 0:
            actions = ours.valid_actions()
        action = chance.choice(actions if chance.random() < 0.7 else ODD)
        reply = ours.step(action)
        world.enter(theirs)
        assert reply.observation == engine.step(action)
        assert (reply.score, reply.completed) == (round(100 * engine.getScore()) / 100, engine.getCompleted())
    assert state(ours) == state(theirs)


def state(simulator: Simulator) -> tuple[str, str, int, str, int]:
    """Everything a continuation depends on; leaves the simulator's random numbers alone."""
    drawn: int = simulator.twin().random.nextLong()
    return simulator.object_tree(), simulator.inventory(), simulator.ticks(), simulator.progress(), drawn


def test_a_step_can_bring_back_what_is_seen_then(world: World) -> None:
    simulator = Simulator(world)
    simulator.load("find-plant", 3, "easy")
    moved = simulator.step_and_look("teleport to kitchen")
    assert (moved.look, moved.inventory) == (simulator.look(), simulator.inventory())
    assert moved.ticks == 1
    idle = simulator.step_and_look("dance")
    assert (idle.ticks, idle.look, idle.inventory) == (0, "", "")


@given(seed=st.integers(0, 10_000), before=st.integers(0, 8))
@settings(max_examples=12, deadline=None)
def test_a_twin_goes_on_as_the_original_would_and_neither_knows_of_the_other(world: World, seed: int, before: int) -> None:
    chance = random.Random(seed)
    task = chance.choice([name for name in VARIATIONS if not name.startswith("mendelian")] + ["mendelian-genetics-known-plant"])
    original = Simulator(world)
    original.load(task, chance.randrange(sum(VARIATIONS[task])), chance.choice(("", "easy")))
    for _ in range(before):
        original.step(chance.choice(original.valid_actions()))
    at_first = state(original)
    twin, elsewhere = original.twin(), original.twin()
    assert state(twin) == at_first
    for _ in range(4):
        elsewhere.step(chance.choice(elsewhere.valid_actions()))
    assert state(original) == at_first
    for _ in range(6):
        actions = original.valid_actions()
        assert twin.valid_actions() == actions
        action = chance.choice(actions)
        assert twin.step(action) == original.step(action)
    assert state(twin) == state(original)


def test_a_twin_holds_a_pending_question(world: World) -> None:
    simulator = Simulator(world)
    simulator.load("chemistry-mix", 14, "easy")
    simulator.step("teleport to art studio")
    simulator.step("pour paint on wood cup into cup containing yellow paint in art studio")
    twin = simulator.twin()
    assert twin.step("0") == simulator.step("0")


def test_an_unknown_task_is_the_engines_error(world: World) -> None:
    with pytest.raises(ValueError, match="ERROR"):
        Simulator(world).load("no-such-task", 0)


def test_odd_text_leaves_the_engine_standing(world: World) -> None:
    simulator = Simulator(world)
    simulator.load("boil", 0)
    for action in ["\n", "\u2028\x00", "é" * 1000, "x" * 100_000, "open " * 2000, "0", '"\\', "go to (", "look at ${agent}"]:
        reply = simulator.step(action)
        assert (reply.score, reply.done) == (0.0, False), action
        assert "Exception" not in reply.observation
    assert simulator.step("look around").observation.startswith("This room")


def test_a_dead_jvm_is_told_at_every_call() -> None:
    jvm = Jvm()
    simulator = Simulator(World(jvm))
    simulator.load("boil", 0)
    jvm.kill()
    calls: tuple[Callable[[], object], ...] = (
        simulator.look,
        simulator.valid_actions,
        simulator.twin,
        lambda: simulator.step("wait"),
        lambda: simulator.load("boil", 0),
    )
    for call in calls:
        with pytest.raises(EngineLost):
            call()
