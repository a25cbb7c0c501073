"""Which tokens are trained under each option, and that normalisation makes alike what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from pydantic import ValidationError

from shared.trajectory import PROVENANCE_LOSS, Trajectory
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import sample, trajectories
from trainer.finetune_config import WeightOptions
from trainer.render import KINDS, Renderer, in_answers
from trainer.weights import normalise, step_weights, turn_ends, turn_numbers

RENDERER = Renderer.from_tokenizer(tiny_tokenizer())


def test_the_method_masks_errors_and_nothing_else() -> None:
    one = sample()[0]
    assert step_weights(one, WeightOptions()) == [PROVENANCE_LOSS[step.provenance] for step in one.steps] == [1, 0, 1, 1, 1]


def test_without_the_mask_error_steps_and_their_stop_tokens_are_trained() -> None:
    one = sample()[0]
    rendered = RENDERER.render(one, step_weights(one, WeightOptions(mask_errors=False)))
    assert np.array_equal(rendered.weights > 0, in_answers(rendered.kinds))


def test_an_override_names_a_provenance_and_wins_over_the_document() -> None:
    one = sample()[0]
    assert step_weights(one, WeightOptions(override={"reflection": 0.5, "golden": 0.0})) == [0, 0, 0.5, 1, 0]
    assert step_weights(one, WeightOptions(mask_errors=False, override={"error": 0.25}))[1] == 0.25


def test_a_misspelt_option_or_provenance_is_refused() -> None:
    with pytest.raises(ValidationError):
        WeightOptions.model_validate({"mask_error": False})
    with pytest.raises(ValidationError):
        WeightOptions.model_validate({"override": {"mistake": 0}})


@given(trajectories())
def test_every_turn_or_trajectory_counts_alike(one: Trajectory) -> None:
    rendered = RENDERER.render(one)
    trained = rendered.weights > 0
    by_turn = normalise(rendered, "turn")
    sums = np.bincount(turn_numbers(by_turn), by_turn.weights)
    assert np.allclose(sums[sums > 0], 1.0, atol=1e-5)
    whole = normalise(rendered, "trajectory").weights.sum()
    assert whole == pytest.approx(1.0, abs=1e-5) or not trained.any()
    for how in ("token", "turn", "trajectory"):
        assert np.array_equal(normalise(rendered, how).weights > 0, trained)


@given(trajectories())
def test_turns_end_at_their_stop_tokens(one: Trajectory) -> None:
    rendered = RENDERER.render(one)
    ends = turn_ends(rendered)
    assert len(ends) == sum(step.observation is not None for step in one.steps)
    assert set(rendered.input_ids[ends - 1].tolist()) == {RENDERER.stop_id}
    assert ends[-1] == len(rendered)


def test_a_reflection_and_its_correction_are_one_turn() -> None:
    rendered = RENDERER.render(sample()[2])
    turns = turn_numbers(rendered)
    reflection, correction = (turns[rendered.kinds == KINDS.index(kind)] for kind in ("reflection", "correction"))
    assert set(reflection.tolist()) == set(correction.tolist()) == {1}


def test_the_way_to_the_first_error_can_be_masked_too() -> None:
    one, options = sample()[0], WeightOptions(mask_prefix=True)
    assert step_weights(one, options) == [0, 0, 1, 1, 1]
    assert step_weights(sample()[1], options) == [1, 1]  # there is no error to lead to
    assert step_weights(one, WeightOptions(mask_prefix=True, override={"golden": 0.5})) == [0, 0, 1, 1, 0.5]


def test_masking_the_way_to_errors_that_are_trained_is_refused() -> None:
    with pytest.raises(ValidationError, match="mask_prefix"):
        WeightOptions(mask_prefix=True, mask_errors=False)
