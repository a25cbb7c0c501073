from __future__ import annotations

import random
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from shared.environment import Environment
from shared.react import parse_turn
from tests.support.plays import some_plays
from trainer.corpus import tell
from trainer.dialogue import Message
from trainer.play import PlayStep
from trainer.worlds.alfworld import AlfworldPlays, AlfworldWorld
from trainer.worlds.alfworld_exercises import copying, doing
from trainer.worlds.alfworld_telling import errand_goal, thought, told_steps

WORLD = AlfworldWorld(AlfworldPlays(rooms=12))
NUMBERED = re.compile(r"\b[a-z]+ \d+\b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rooms")


@pytest.fixture
async def environment(folder: Path) -> AsyncGenerator[Environment]:
    environment = WORLD.environment(folder)
    await environment.start()
    yield environment
    await environment.stop()


async def test_plays_depend_on_their_number_alone_and_on_training_houses(environment: Environment) -> None:
    first, again = await some_plays(WORLD, environment, 30), await some_plays(WORLD, environment, 30)
    assert first == again
    assert len(first) > 20
    assert {play.task_id.partition("/")[0] for play in first} == {"embedded_train"}
    assert {play.kind for play in first} == {"errand", "wander"}


async def test_every_name_said_was_seen_and_every_search_finds_what_it_was_for(environment: Environment) -> None:
    for play in await some_plays(WORLD, environment, 120):
        messages = tell(play, WORLD, random.Random(0))
        if messages is None:
            continue
        before = messages[1].text
        assert play.goal not in before
        for message in messages[2:]:
            if message.role == "assistant":
                turn = parse_turn(message.text)
                assert turn.error is None
                assert not message.learned or all(name in before for name in NUMBERED.findall(message.text))
            before += message.text
        for number, step in enumerate(play.steps):
            if step.purpose and step.purpose[0].startswith("search") and not WORLD.failed(step):
                kind = step.purpose[1]
                assert kind
                assert any(re.search(rf"\ban? {kind} \d", later.observation) for later in play.steps[number:])


async def test_errors_are_told_and_repaired_and_not_learned(environment: Environment) -> None:
    verbs: set[str] = set()
    for play in await some_plays(WORLD, environment, 120):
        messages = tell(play, WORLD, random.Random(0)) or []
        for said, reply, after in zip(messages, messages[1:], messages[2:], strict=False):
            if said.role == "assistant":
                assert said.learned == (reply.text != "Nothing happens.")
                if not said.learned:
                    verbs.add(said.text.partition("Action: ")[2].split()[0])
                    assert after.role == "assistant"
    assert verbs >= {"go", "take"}


def said(messages: list[Message] | None) -> list[str]:
    assert messages is not None
    return [message.text for message in messages if message.role == "assistant"]


def step(action: str, observation: str, *purpose: str) -> PlayStep:
    return PlayStep(action, observation, purpose)


STEPS = (
    step("go to desk 1", "You arrive at desk 1. On the desk 1, you see a mug 2.", "search", "mug", "desk 1"),
    step("take mug 2 from desk 1", "You pick up the mug 2 from the desk 1.", "take", "mug 2", "desk 1"),
    step("go to fridge 1", "You arrive at fridge 1. The fridge 1 is closed.", "bring", "mug 2", "fridge 1"),
    step("move mug 2 to fridge 1", "Nothing happens.", "put", "mug 2", "fridge 1"),
    step(
        "open fridge 1",
        "You open the fridge 1. The fridge 1 is open. In it, you see nothing.",
        "bring open",
        "mug 2",
        "fridge 1",
    ),
    step("move mug 2 to fridge 1", "You move the mug 2 to the fridge 1.", "put", "mug 2", "fridge 1"),
    step("go to bed 1", "You arrive at bed 1. On the bed 1, you see nothing.", "approach", "heat", "mug 2", "bed 1"),
)


@pytest.mark.parametrize("seed", range(20))
def test_a_goal_tells_what_was_achieved_and_no_more(seed: int) -> None:
    goal = errand_goal(STEPS, random.Random(seed))
    assert goal is not None
    assert "mug" in goal
    assert "fridge" in goal
    assert "bed" not in goal
    assert errand_goal(STEPS[2:5], random.Random(seed)) is None


def test_what_achieved_nothing_at_the_end_is_left_out() -> None:
    assert told_steps(STEPS) == list(STEPS[:6])
    assert told_steps(STEPS[2:5]) == []


def test_thoughts_are_the_experts_sentences() -> None:
    assert thought(STEPS[0]) == "I need a mug and see none, so I look at the desk 1."
    assert thought(STEPS[4]) == "I have the mug 2; the fridge 1 is closed, so I open it to put it there."
    assert thought(PlayStep("open drawer 1", "", ("valid",))) == "I have to open the drawer 1."


@pytest.mark.parametrize("seed", range(30))
def test_exercises_only_ask_for_names_that_stand_in_the_context(seed: int) -> None:
    kinds = ["mug", "desk", "drawer", "bed", "pen", "cd", "apple", "fridge", "cup", "safe", "lamp", "book", "box"]
    for messages in (copying(kinds, random.Random(seed)), doing(STEPS[0].observation, WORLD.instruction, random.Random(seed))):
        assert messages is not None
        before = ""
        for message in messages:
            if message.role == "assistant":
                said = NUMBERED.findall(message.text)
                assert said
                assert all(name in before for name in said)
            before += message.text


def test_an_exercise_takes_what_is_there_and_looks_elsewhere_for_what_is_not() -> None:
    empty = "You arrive at bed 1. On the bed 1, you see nothing."
    for seed in range(20):
        assert "see none" in said(doing(empty, WORLD.instruction, random.Random(seed)))[-1]
        last = said(doing(STEPS[0].observation, WORLD.instruction, random.Random(seed)))[-1]
        assert ("mug 2" in last) != ("see none" in last)


def test_a_closed_place_gives_no_exercise() -> None:
    assert doing("The drawer 1 is closed.", WORLD.instruction, random.Random(0)) is None
