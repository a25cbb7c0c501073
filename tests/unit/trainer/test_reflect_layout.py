"""Reflections as messages of their own: what is recorded, in which order, and with which weight."""

from __future__ import annotations

import pytest

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.unit.trainer.test_reflect import Suggesting, lesson, shape
from trainer.chat_messages import assistant_turns
from trainer.results import summarise_collection
from trainer.rollout import NOT_EXECUTED


async def test_a_reflection_may_be_a_message_of_its_own(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    texts = ["go to room 1", "wait", "go to room 3", "take lamp"]
    trajectory = await lesson(corridor, store, *texts, layout="message")
    assert shape(trajectory)[1:4] == [("error", "wait"), ("reflection", None), ("correction", "go to room 2")]
    error, reflection, correction = trajectory.steps[1:4]
    assert (error.loss, reflection.loss, correction.loss) == (0.0, 1.0, 1.0)
    assert (reflection.repairs, correction.repairs) == (1, 1)
    assert reflection.text == "Thought: That did not help: nothing changed by wait. I should go to room 2 instead."
    assert (reflection.observation, reflection.observation_hash) == ("Go on.", None)
    assert correction.text == "Thought: I need room 3 for the lamp, so I go to room 2.\nAction: go to room 2"
    assert [[step.index for step in turn] for turn in assistant_turns(trajectory.steps)] == [[n] for n in range(6)]
    assert (trajectory.outcome.steps, trajectory.outcome.success) == (5, True)
    assert trajectory.protocol.prompt_version == "react-1-reflection-message"


async def test_a_thought_of_the_students_own_is_answered_once_and_not_learnt(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    thought = "Thought: where am I?"
    trajectory = await lesson(corridor, store, thought, "go to room 1", thought, thought, layout="message")
    assert shape(trajectory)[:4] == [
        ("error", None), ("student", "go to room 1"), ("error", None), ("error", "Thought: where am I?"),
    ]  # fmt: skip
    alone, _, _, executed, reflection = trajectory.steps[:5]
    assert (alone.thought, alone.text, alone.observation) == ("where am I?", thought, "Go on.")
    assert (alone.loss, alone.role, alone.verdict, alone.format_error) == (0.0, "student", None, None)
    assert (executed.valid, executed.format_error) == (False, "no action line")
    assert reflection.repairs == executed.index
    assert trajectory.outcome.steps == 3


async def test_a_reflection_of_its_own_on_a_rejected_correction_is_masked_with_it(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    teacher = Suggesting("dance", "go to room 1")
    trajectory = await lesson(corridor, store, "wait", teacher=teacher, layout="message")
    assert shape(trajectory) == [
        ("error", "wait"), ("error", None), ("error", "dance"), ("reflection", None), ("correction", "go to room 1"),
    ]  # fmt: skip
    assert [(step.loss, step.repairs) for step in trajectory.steps] == [(0, None), (0, 0), (0, 0), (1, 2), (1, 2)]
    rejected = trajectory.steps[1:3]
    assert [step.text for step in rejected] == ["Thought: That was wrong.", "Thought: I try this.\nAction: dance"]
    assert rejected[0].observation == "Go on."
    assert teacher.seen == [[], ["Thought: That was wrong."]]
    assert summarise_collection([trajectory], [trajectory], failed=0).rejected == 1


async def test_in_messages_of_their_own_an_error_may_be_held_back(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "wedge door", "go to room 2", judge="before", layout="message")
    assert [(step.action, step.observation) for step in trajectory.steps[:3]] == [
        ("wedge door", NOT_EXECUTED), (None, "Go on."), ("go to room 1", "You are in room 1."),
    ]  # fmt: skip


async def test_a_run_is_not_continued_in_another_layout(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    await lesson(corridor, store, "go to room 1")
    with pytest.raises(RestepError, match="prompt 'react-1', not 'react-1-reflection-message'"):
        await lesson(corridor, store, "go to room 1", layout="message")
