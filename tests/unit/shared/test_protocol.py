from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.protocol import (
    ERROR_DECISIONS,
    BatchRequest,
    BatchStep,
    CreateNamedSession,
    CreateSession,
    Decision,
    SessionId,
    StepRequest,
    StepResult,
    TaskInfo,
    fork_id,
    observation_hash,
)


def test_observation_hash_is_a_fixed_function_of_the_text() -> None:
    assert observation_hash("") == "e3b0c44298fc1c14"
    assert observation_hash("é") == "4a99557e4033c353"
    assert observation_hash("a") != observation_hash("a ")


def test_requests_refuse_unknown_fields_and_answers_ignore_them() -> None:
    with pytest.raises(ValidationError, match="max_step\n"):
        CreateSession.model_validate({"task_id": "a/1", "max_step": 5})
    task = TaskInfo.model_validate({"id": "a/1", "split": "train", "type": "a", "added_later": 1})
    assert task.model_dump() == {"id": "a/1", "split": "train", "type": "a", "goal": ""}


@pytest.mark.parametrize("session_id", ["", "-x", "a/b", "a b", "x" * 129, "é"])
def test_session_ids_fit_in_a_path(session_id: str) -> None:
    with pytest.raises(ValidationError):
        CreateNamedSession(task_id="a/1", session_id=session_id)


@pytest.mark.parametrize("changes", [{"max_steps": 0}, {"index": -1}, {"include": ["everything"]}, {"max_steps": 10_001}])
def test_create_checks_ranges(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CreateSession.model_validate({"task_id": "a/1", **changes})


def test_steps_count_from_one_and_a_batch_has_bounds() -> None:
    with pytest.raises(ValidationError):
        StepRequest(seq=0, action="look")
    step = BatchStep(session_id="a", seq=1, action="look")
    with pytest.raises(ValidationError):
        BatchRequest(steps=[])
    with pytest.raises(ValidationError):
        BatchRequest(steps=[step] * 1025)
    assert len(BatchRequest(steps=[step] * 1024).steps) == 1024


def test_a_result_must_say_everything() -> None:
    with pytest.raises(ValidationError):
        StepResult.model_validate({"seq": 1, "action": "look", "observation": "a room"})


def test_right_decisions_are_no_errors() -> None:
    right: set[Decision] = {"useful", "exploring"}
    assert not right & ERROR_DECISIONS


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", fullmatch=True))
def test_the_id_of_a_fork_is_valid_new_and_begins_with_the_name_of_its_source(session_id: str) -> None:
    name = session_id.replace(":", ".").partition(".")[0]
    made = fork_id(session_id)
    assert TypeAdapter(SessionId).validate_python(made) == made
    assert made != fork_id(session_id)
    assert made.startswith(f"{name}.") or len(name) > 90
    assert fork_id(made).partition(".")[0] == made.partition(".")[0]
