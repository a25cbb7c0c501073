"""Precision, recall and F1 of a judge against the expert, and how many of its corrections help, with intervals.

A detection is right when judge and expert both call a step an error, whatever kind of error each calls it. By kind:
recall of a kind is the share of the steps that the expert calls so which the judge calls errors, precision the share
of those that the judge calls so which the expert calls errors. A correction helps when the expert calls it no error.
A step on which the judge gave no usable verdict is counted apart, and as a detection missed where it was an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from shared.protocol import Decision
from trainer.bootstrap import BootstrapConfig, Interval, stratified_ratio
from trainer.judge.comparison import DECISIONS, Compared, ComparedEpisode

ALL: Final = "all"
"""The environment that stands for all of them: steps are pooled, tasks resampled within their environment."""
NONE: Final = "none"
"""What a judge said that gave no usable verdict."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KindDetection(_Part):
    """Of errors of one kind. ``expert`` and ``judge`` count what each calls so; None: nothing to divide by."""

    expert: int
    judge: int
    precision: Interval | None
    recall: Interval | None


class Detection(KindDetection):
    """Of errors of any kind. Only here do precision and recall count the same hits, so that there is an F1."""

    f1: Interval | None


class JudgeFigures(_Part):
    """One judge in one environment. ``confusion`` counts steps by the expert's decision, then the judge's (``none``)."""

    judge: str
    environment: str
    episodes: int
    tasks: int
    steps: int
    unjudged: int
    errors: Detection
    kinds: dict[Decision, KindDetection]
    corrections: int
    corrections_help: Interval | None
    confusion: dict[Decision, dict[str, int]]


class JudgeReport(_Part):
    """What ``judge.json`` holds: figures by judge and environment, the decisions that count as errors, how it was done."""

    run: str
    created: str
    errors: list[Decision]
    bootstrap: BootstrapConfig
    versions: dict[str, dict[str, str]]
    figures: list[JudgeFigures]


def judge_figures(
    episodes: Sequence[ComparedEpisode], errors: Iterable[Decision], bootstrap: BootstrapConfig
) -> list[JudgeFigures]:
    """Figures of every judge in every environment, and in all of them where there are several."""
    wrong = frozenset(errors)
    judges = sorted({step.judge for episode in episodes for step in episode.steps})
    found: list[JudgeFigures] = []
    for judge in judges:
        own = [one for one in (_by(judge, episode) for episode in episodes) if one.steps]
        places = sorted({episode.environment for episode in own})
        groups = [[episode for episode in own if episode.environment == place] for place in places]
        found += [_figures(judge, place, [group], wrong, bootstrap) for place, group in zip(places, groups, strict=True)]
        if len(places) > 1:
            found.append(_figures(judge, ALL, groups, wrong, bootstrap))
    return found


Count = Callable[[Compared], tuple[float, float]]
"""What a step adds above and below the line."""


def _figures(
    judge: str,
    environment: str,
    groups: Sequence[Sequence[ComparedEpisode]],
    wrong: frozenset[Decision],
    bootstrap: BootstrapConfig,
) -> JudgeFigures:
    steps = [step for group in groups for episode in group for step in episode.steps]
    verdicts = [step for step in steps if step.kind == "verdict"]
    corrections = [step for step in steps if step.kind == "correction"]

    def ratio(count: Count, kind: str = "verdict") -> Interval | None:
        return stratified_ratio([_by_task(group, kind, count) for group in groups], bootstrap)

    def detection(called: frozenset[Decision]) -> KindDetection:
        return KindDetection(
            expert=sum(step.expert in called for step in verdicts),
            judge=sum(step.said in called for step in verdicts),
            precision=ratio(lambda step: (step.said in called and step.expert in wrong, step.said in called)),
            recall=ratio(lambda step: (step.expert in called and step.said in wrong, step.expert in called)),
        )

    f1 = ratio(lambda step: (2 * (step.said in wrong and step.expert in wrong), (step.said in wrong) + (step.expert in wrong)))

    return JudgeFigures(
        judge=judge,
        environment=environment,
        episodes=sum(map(len, groups)),
        tasks=len({(episode.environment, episode.task) for group in groups for episode in group}),
        steps=len(verdicts),
        unjudged=sum(step.said is None for step in verdicts),
        errors=Detection(**dict(detection(wrong)), f1=f1),
        kinds={kind: detection(frozenset({kind})) for kind in DECISIONS if kind in wrong},
        corrections=len(corrections),
        corrections_help=ratio(lambda step: (step.expert not in wrong, True), "correction"),
        confusion=_confusion(verdicts),
    )


def _by(judge: str, episode: ComparedEpisode) -> ComparedEpisode:
    return episode.model_copy(update={"steps": [step for step in episode.steps if step.judge == judge]})


def _by_task(episodes: Sequence[ComparedEpisode], kind: str, count: Count) -> list[tuple[float, float]]:
    """The sums of each task, in the order in which tasks come."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for episode in episodes:
        for step in episode.steps:
            if step.kind == kind:
                above, below = count(step)
                sums[episode.task][0] += above
                sums[episode.task][1] += below
    return [(above, below) for above, below in sums.values()]


def _confusion(verdicts: Sequence[Compared]) -> dict[Decision, dict[str, int]]:
    table: dict[Decision, dict[str, int]] = {}
    for step in verdicts:
        row = table.setdefault(step.expert, {})
        said = step.said or NONE
        row[said] = row.get(said, 0) + 1
    return {decision: table[decision] for decision in DECISIONS if decision in table}
