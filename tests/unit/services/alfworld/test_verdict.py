"""Verdicts by what is known of a step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.alfworld.verdict import Step, judge

STEP = Step(valid=True, won=False, before=5, after=5, known_before=None, known_after=None, discovers=False, advised=False)


@pytest.mark.parametrize(
    ("step", "left", "decision"),
    [
        (replace(STEP, won=True, after=0), 0, "useful"),
        (replace(STEP, after=4), 10, "useful"),
        (replace(STEP, after=4, discovers=True), 10, "useful"),
        (replace(STEP, after=6, known_before=9, known_after=8), 10, "useful"),
        (replace(STEP, after=6, advised=True), 10, "useful"),
        (replace(STEP, before=None), 10, "useful"),
        (replace(STEP, discovers=True), 10, "exploring"),
        (replace(STEP, after=6, discovers=True), 10, "exploring"),
        (replace(STEP, discovers=True, known_before=7, known_after=7), 10, "needless"),
        (STEP, 10, "needless"),
        (replace(STEP, known_before=7), 10, "needless"),
        (replace(STEP, valid=False), 10, "invalid"),
        (replace(STEP, after=6), 10, "harmful"),
        (replace(STEP, after=7, discovers=True, known_before=5, known_after=7), 10, "harmful"),
        (replace(STEP, after=None), 10, "fatal"),
        (replace(STEP, before=None, after=None, valid=False), 10, "fatal"),
        (STEP, 4, "fatal"),
        (replace(STEP, after=4), 3, "fatal"),
        (replace(STEP, valid=False), 4, "fatal"),
        (STEP, 5, "needless"),
    ],
)
def test_a_decision_follows_from_distances_and_what_was_seen(step: Step, left: int, decision: str) -> None:
    verdict = judge(step, left)
    assert verdict.decision == decision
    assert verdict.reason
    assert (verdict.distance_before, verdict.distance_after) == (step.before, step.after)


def test_a_fatal_step_says_whether_it_was_the_one() -> None:
    assert judge(STEP, 4).reason.startswith("this step came too late")
    assert judge(STEP, 3).reason.startswith("it was too late before this step already")
