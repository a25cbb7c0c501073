"""Steps that are left out are gone from the context, and what is left is a dialogue as any other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.react import parse_turn
from shared.trajectory import Trajectory, load_trajectory
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import Said, sample, trajectories, trajectory
from trainer.finetune_config import LeftOut
from trainer.render import Renderer
from trainer.rewrite import leave_out

RENDERER = Renderer.from_tokenizer(tiny_tokenizer())
LEFT_OUT: st.SearchStrategy[frozenset[LeftOut]] = st.frozensets(st.sampled_from(["error", "reflection"]))


def provenances(one: Trajectory) -> list[str]:
    return [step.provenance for step in one.steps]


def test_without_reflections_a_correction_is_an_answer_of_its_own() -> None:
    without = leave_out(sample()[2], {"reflection"})
    assert provenances(without) == ["error", "correction"]
    correction = without.steps[1]
    assert correction.text == f"Thought: {correction.thought}\nAction: {correction.action}"
    assert parse_turn(correction.text).error is None


def test_a_correction_that_has_its_opening_keeps_its_text() -> None:
    said = [Said("error", "x"), Said("reflection", "Thought: no."), Said("correction", "Thought: b\nAction: c")]
    assert leave_out(trajectory(said), {"reflection"}).steps[1].text == "Thought: b\nAction: c"


def test_without_errors_their_observations_are_gone_too() -> None:
    whole = sample()[0]
    without = leave_out(whole, {"error"})
    assert provenances(without) == ["golden", "reflection", "correction", "golden"]
    seen = RENDERER.chat.codec.decode(RENDERER.render(without).input_ids.tolist())
    assert "No known action matches" in RENDERER.chat.codec.decode(RENDERER.render(whole).input_ids.tolist())
    assert "No known action matches" not in seen
    assert "eat cup" not in seen


def test_what_a_step_repairs_moves_with_it() -> None:
    document = trajectory([Said("error", "a"), Said("golden", "b"), Said("error", "c"), Said("golden", "d")])
    steps = [step.model_copy(update={"repairs": 2}) if step.index == 3 else step for step in document.steps]
    document = document.model_copy(update={"steps": steps})
    assert leave_out(document, {"reflection"}).steps[3].repairs == 2
    assert leave_out(document, {"error"}).steps[1].repairs is None


@pytest.mark.parametrize("document", sample())
def test_nothing_left_out_is_the_document_itself(document: Trajectory) -> None:
    assert leave_out(document, frozenset()) is document


@given(trajectories(), LEFT_OUT)
def test_the_rest_is_a_valid_document_in_the_same_order(one: Trajectory, provenances_: frozenset[LeftOut]) -> None:
    without = leave_out(one, provenances_)
    assert load_trajectory(without.dumps()) == without
    assert provenances(without) == [name for name in provenances(one) if name not in provenances_]
    kept = [step for step in one.steps if step.provenance not in provenances_]
    assert [step.observation for step in without.steps] == [step.observation for step in kept]
    RENDERER.render(without)
