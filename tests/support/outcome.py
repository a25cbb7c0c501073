"""A small experiment's results, computed by the project's own functions from trajectories made up for tests."""

from __future__ import annotations

from shared.trajectory import EnvironmentStamp
from tests.support.trajectories import sample
from trainer.bootstrap import BootstrapConfig
from trainer.evaluate import METRICS, Evaluation, EvaluationProtocol, TaskResult, bootstrap_mean, per_task
from trainer.results import ArmResult, Results, TrainingSummary, differences, summarise_collection
from trainer.rollout import SamplingConfig

BOOTSTRAP = BootstrapConfig(resamples=200)


def evaluation(name: str, scores: list[float]) -> Evaluation:
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
        run=f"evaluation/{name}",
        checkpoint=f"student:{name}",
        protocol=EvaluationProtocol(
            environment=EnvironmentStamp(name="sciworld", engine_version="1", data_version="1"),
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


def results() -> Results:
    """Base, the reference and a masked arm that is better by a clear margin."""
    evaluations = {
        "base": evaluation("base", [0.0] * 8),
        "golden-all": evaluation("golden-all", [0.0, 0.1, 0.0, 0.2, 0.0, 0.1, 0.0, 0.0]),
        "step": evaluation("step", [1.0, 1.0, 0.5, 1.0, 0.6, 1.0, 0.7, 1.0]),
    }
    against = differences(evaluations, "golden-all", BOOTSTRAP)
    training = TrainingSummary(
        trajectories=3,
        tokens=300,
        trained_tokens=120,
        masked_tokens=40,
        epochs=2.0,
        seconds=1.0,
        data_hash="00ff",
        curve=[
            {"step": 1, "loss": 2.0, "loss/golden": 2.0, "loss/error": 3.0},
            {"step": 2, "loss": 1.0, "loss/golden": 1.0, "loss/error": 2.9},
        ],
    )
    documents = sample()
    return Results(
        name="trial",
        description="A trial.",
        created="2026-01-01T00:00:00Z",
        seed=0,
        reference="golden-all",
        versions={"restep": "0.1.0"},
        base="base",
        tasks={"U1": ["boil/0"], "U2": ["melt/0"], "evaluation": [f"boil/{n}" for n in range(8)]},
        collections={"reflected": summarise_collection(documents, documents[:2], failed=1)},
        arms={
            name: ArmResult(
                description=f"about {name}",
                data=[],
                training=None if name == "base" else training,
                evaluation=one,
                differences=against[name],
            )
            for name, one in evaluations.items()
        },
        seconds={"golden": 1.0},
        recipe={"arms": {"golden-all": {"weights": {"mask_errors": True}}, "step": {"weights": {"mask_errors": True}}}},
    )
