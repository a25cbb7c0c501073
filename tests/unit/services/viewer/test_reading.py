from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given

from services.viewer.reading import STRIP_WIDTH, common_actions, read_steps, strip, tokens
from shared.trajectory import Trajectory
from tests.support.documents import make_step, make_trajectory
from tests.support.trajectories import sample, trajectories


@given(trajectories())
def test_the_strip_covers_the_whole_dialogue_once(trajectory: Trajectory) -> None:
    segments = strip(trajectory)
    assert segments[0].x == 0
    for one, following in itertools.pairwise(segments):
        assert math.isclose(one.x + one.width, following.x, abs_tol=0.02)
    assert math.isclose(segments[-1].x + segments[-1].width, STRIP_WIDTH, abs_tol=0.02)
    assert [segment.step for segment in segments if segment.step is not None] == [step.index for step in trajectory.steps]
    assert all(segment.weight == 0 for segment in segments if segment.kind in ("seen", "error"))


@given(trajectories())
def test_every_step_is_shown_with_all_its_tokens(trajectory: Trajectory) -> None:
    shown = read_steps(trajectory)
    assert [one.step for one in shown] == trajectory.steps
    assert [[token.id for token in one.tokens] for one in shown] == [step.token_ids or [] for step in trajectory.steps]
    assert not any(one.shared for one in shown)


@pytest.mark.parametrize(("logprob", "shade"), [(-0.05, 0), (-0.5, 1), (-2.0, 2), (-4.0, 3), (-9.0, 4)])
def test_an_unlikely_token_stands_out(logprob: float, shade: int) -> None:
    (token,) = tokens(make_step(0, "student", token_ids=[7], logprobs=[logprob]))
    assert token.shade == shade


@given(trajectories(), trajectories())
def test_two_episodes_have_their_first_actions_in_common(one: Trajectory, other: Trajectory) -> None:
    actions, others = ([step.action for step in it.steps if step.action is not None] for it in (one, other))
    count = common_actions(one, other)
    assert count == common_actions(other, one)
    assert actions[:count] == others[:count]
    assert count == min(len(actions), len(others)) or actions[count] != others[count]
    assert sum(step.shared for step in read_steps(one, count)) == count


def test_a_reflection_is_no_action() -> None:
    first = sample()[0]
    assert common_actions(first, first) == 4
    assert common_actions(first, make_trajectory()) == 0
