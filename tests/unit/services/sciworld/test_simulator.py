"""Simulators that share a JVM: isolation, scores, the free calls, and what is not understood."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sciworld.jvm import Jvm
from services.sciworld.simulator import NOT_UNDERSTOOD, Reply, Simulator, World, is_reset
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
    for call in (simulator.look, simulator.valid_actions, lambda: simulator.step("wait"), lambda: simulator.load("boil", 0)):
        with pytest.raises(EngineLost):
            call()
