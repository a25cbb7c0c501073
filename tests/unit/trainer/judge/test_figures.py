"""Precision, recall, F1 and helping corrections, against counts made by hand and against their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol import ERROR_DECISIONS, Decision
from trainer.bootstrap import BootstrapConfig, Interval
from trainer.judge.comparison import DECISIONS, Compared, ComparedEpisode
from trainer.judge.figures import ALL, JudgeFigures, judge_figures

QUICK = BootstrapConfig(resamples=200)


def verdict(said: Decision | None, expert: Decision, judge: str = "j") -> Compared:
    return Compared(index=0, kind="verdict", judge=judge, said=said, expert=expert)


def correction(expert: Decision) -> Compared:
    return Compared(index=0, kind="correction", judge="j", said=None, expert=expert)


def episode(*steps: Compared, task: str = "t", environment: str = "e") -> ComparedEpisode:
    return ComparedEpisode(trajectory=f"{environment}/{task}", environment=environment, task=task, steps=list(steps))


def figures(*episodes: ComparedEpisode) -> list[JudgeFigures]:
    return judge_figures(episodes, ERROR_DECISIONS, QUICK)


def mean(interval: Interval | None) -> float | None:
    return None if interval is None else round(interval.mean, 6)


def test_figures_of_one_judge_made_by_hand() -> None:
    (found,) = figures(
        episode(verdict("needless", "needless"), verdict("harmful", "needless"), verdict("useful", "useful"), task="a"),
        episode(verdict("invalid", "useful"), verdict("useful", "fatal"), verdict(None, "invalid"), task="b"),
        episode(correction("useful"), correction("exploring"), correction("harmful"), task="c"),
    )
    assert (found.judge, found.environment, found.episodes, found.tasks) == ("j", "e", 3, 3)
    assert (found.steps, found.unjudged, found.corrections) == (6, 1, 3)
    assert (found.errors.expert, found.errors.judge) == (4, 3)
    assert mean(found.errors.precision) == round(2 / 3, 6)
    assert mean(found.errors.recall) == 0.5
    assert mean(found.errors.f1) == round(4 / 7, 6)
    assert mean(found.corrections_help) == round(2 / 3, 6)
    needless = found.kinds["needless"]
    assert (needless.expert, needless.judge) == (2, 1)
    assert (mean(needless.precision), mean(needless.recall)) == (1.0, 1.0)
    assert (mean(found.kinds["invalid"].precision), mean(found.kinds["invalid"].recall)) == (0.0, 0.0)
    assert (found.kinds["fatal"].precision, mean(found.kinds["fatal"].recall)) == (None, 0.0)
    assert found.confusion == {
        "useful": {"useful": 1, "invalid": 1},
        "needless": {"needless": 1, "harmful": 1},
        "invalid": {"none": 1},
        "fatal": {"useful": 1},
    }


def test_judges_and_environments_are_told_apart_and_pooled() -> None:
    found = figures(
        episode(verdict("fatal", "fatal"), verdict("useful", "useful", judge="k"), environment="x"),
        episode(verdict("useful", "fatal"), environment="y"),
    )
    assert [(one.judge, one.environment, one.steps) for one in found] == [
        ("j", "x", 1),
        ("j", "y", 1),
        ("j", ALL, 2),
        ("k", "x", 1),
    ]
    assert [mean(one.errors.recall) for one in found] == [1.0, 0.0, 0.5, None]


def test_only_the_kinds_that_a_run_counts_as_errors_count() -> None:
    (found,) = judge_figures([episode(verdict("needless", "useful"), verdict("fatal", "needless"))], ["fatal"], QUICK)
    assert (found.errors.expert, found.errors.judge, list(found.kinds)) == (0, 1, ["fatal"])


decisions = st.sampled_from(DECISIONS)
verdicts = st.lists(st.builds(verdict, st.none() | decisions, decisions), min_size=1, max_size=8)


@given(st.lists(verdicts, min_size=1, max_size=5))
def test_precision_recall_and_f1_are_what_they_are_called(steps: list[list[Compared]]) -> None:
    (found,) = figures(*(episode(*each, task=str(number)) for number, each in enumerate(steps)))
    flat = [(step.said in ERROR_DECISIONS, step.expert in ERROR_DECISIONS) for each in steps for step in each]
    hits = sum(said and true for said, true in flat)
    said, true = sum(one for one, _ in flat), sum(one for _, one in flat)
    assert mean(found.errors.precision) == (round(hits / said, 6) if said else None)
    assert mean(found.errors.recall) == (round(hits / true, 6) if true else None)
    if hits:
        precision, recall = hits / said, hits / true
        assert mean(found.errors.f1) == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6)
    assert sum(count for row in found.confusion.values() for count in row.values()) == found.steps == len(flat)
