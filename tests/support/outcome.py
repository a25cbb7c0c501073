"""A small experiment's results, computed by the project's own functions from trajectories made up for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.trajectory import EnvironmentStamp
from tests.support.trajectories import sample
from trainer.bootstrap import BootstrapConfig
from trainer.evaluate import METRICS, Evaluation, EvaluationProtocol, TaskResult, bootstrap_mean, per_task
from trainer.results import (
    ArmResult,
    EnvironmentResult,
    Results,
    TrainingSummary,
    averages,
    differences,
    summarise_collection,
)
from trainer.rollout import SamplingConfig

BOOTSTRAP = BootstrapConfig(resamples=200)


def evaluation(name: str, scores: Sequence[float], environment: str = "sciworld") -> Evaluation:
    """An evaluation whose tasks scored so; a score of 1 is a success."""
    results = [
        TaskResult(
            task_id=f"boil/{number}",
            type="boil",
            attempt=0,
            success=score == 1.0,
            score=score,
            steps=5,
            ended="done",
            cause=None,
            invalid_share=0.2,
            repeated_share=0.0,
            format_failures=0,
        )
        for number, score in enumerate(scores)
    ]
    return Evaluation(
        run=f"evaluation/{name}/{environment}",
        checkpoint=f"student:{name}",
        protocol=EvaluationProtocol(
            environment=EnvironmentStamp(name=environment, engine_version="1", data_version="1"),
            splits=["test"],
            max_steps=20,
            options={"simplification": "easy"},
            prompt_version="react-1",
            sampling=SamplingConfig(),
            seed=0,
            attempts=1,
            metric="success",
        ),
        episodes=len(results),
        missing=[],
        context_overflows=0,
        metrics={metric: bootstrap_mean(list(per_task(results, metric).values()), BOOTSTRAP) for metric in METRICS},
        by_type={"boil": {metric: sum(per_task(results, metric).values()) / len(results) for metric in METRICS}},
        results=results,
    )


TRAINING = TrainingSummary(
    trajectories=3,
    packs=1,
    fewest_packs=1,
    tokens=300,
    trained_tokens=120,
    masked_tokens=40,
    efficiency=0.9812,
    trained_spread=0.0,
    cut_trajectories=1,
    cut_steps={"boil": {"error": 2, "correction": 1}},
    dropped={"melt": 1},
    dropped_steps={"melt": {"error": 4}},
    epochs=2.0,
    steps=2,
    trained_tokens_seen=240,
    seconds=1.0,
    data_hash="00ff",
    curve=[
        {"step": 1, "loss": 2.0, "loss/golden": 2.0, "loss/error": 3.0},
        {"step": 2, "loss": 1.0, "loss/golden": 1.0, "loss/error": 2.9},
    ],
)

SCORES: Mapping[str, Mapping[str, Sequence[float]]] = {
    "sciworld": {
        "base": [0.0] * 8,
        "golden-all": [0.0, 0.1, 0.0, 0.2, 0.0, 0.1, 0.0, 0.0],
        "step": [1.0, 1.0, 0.5, 1.0, 0.6, 1.0, 0.7, 1.0],
    },
    "alfworld": {
        "base": [0.0] * 4,
        "golden-all": [0.0, 1.0, 0.0, 0.0],
        "step": [1.0, 1.0, 0.0, 1.0],
    },
    "webshop": {
        "base": [0.0, 0.1],
        "golden-all": [0.5, 0.7],
        "step": [0.6, 0.7],
    },
}
"""By environment and arm: base, the reference, and a masked arm that is better by a clear margin."""


def environment_result(name: str, one: Evaluation) -> EnvironmentResult:
    """What holds in an environment beside the figures of its arms."""
    documents = sample()
    return EnvironmentResult(
        protocol=one.protocol,
        versions={"engine": f"{name} engine 1", "data": "1", "HTTP protocol": "1"},
        tasks={"U1": ["boil/0"], "U2": ["melt/0"], "evaluation": [result.task_id for result in one.results]},
        collections={f"reflected/{name}": summarise_collection(documents, documents[:2], failed=1)},
    )


def results(*environments: str) -> Results:
    """The results of an experiment in these environments, ScienceWorld when none is named."""
    places = environments or ("sciworld",)
    arms = {name: {place: evaluation(name, SCORES[place][name], place) for place in places} for name in SCORES["sciworld"]}
    against, averaged = differences(arms, "golden-all", BOOTSTRAP), averages(arms, "golden-all", BOOTSTRAP)
    return Results(
        name="trial",
        description="A trial.",
        created="2026-01-01T00:00:00Z",
        seed=0,
        reference="golden-all",
        versions={"restep": "0.1.0"},
        base="base",
        environments={place: environment_result(place, arms["base"][place]) for place in places},
        arms={
            name: ArmResult(
                description=f"about {name}",
                data={} if name == "base" else {"golden_u1": dict.fromkeys(places, 3)},
                options={"weights.normalisation": "turn", "without": ["reflection"]} if name == "step" else {},
                training=None if name == "base" else TRAINING,
                evaluations=found,
                differences=against[name],
                average=averaged[name],
            )
            for name, found in arms.items()
        },
        seconds={"golden, sciworld": 1.0},
        recipe={"arms": {"golden-all": {"weights": {"mask_errors": True}}, "step": {"weights": {"mask_errors": True}}}},
    )
