"""What an experiment found, as one JSON document: everything the report and the table show is in here, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import RestepError
from shared.trajectory import Provenance, Trajectory
from trainer.bootstrap import BootstrapConfig, Interval
from trainer.evaluate import Evaluation, EvaluationProtocol, Metric, average, compare, compare_averages
from trainer.files import write_whole
from trainer.teacher.ledger import Spending

RESULTS_FILE: Final = "results.json"
RESULTS_SCHEMA: Final = 3


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CollectionSummary(_Part):
    """What a collection holds. ``steps`` counts the steps of the kept trajectories by provenance.

    ``rejected`` counts the corrections among its error steps: the teacher's own, which the expert rejected.
    """

    tasks: int
    kept: int
    successes: int
    failed: int
    steps: dict[Provenance, int]
    rejected: int = 0


class TeacherSummary(_Part):
    """Who judged and repaired in an environment; ``spending`` is None for a teacher that costs nothing."""

    name: str
    spending: Spending | None


class TrainingSummary(_Part):
    """How an arm was trained. Tokens are of one epoch, ``trained_tokens_seen`` of all.

    ``curve`` has a row for each optimiser step; for what became of the trajectories see :class:`trainer.pack.PackReport`.
    """

    trajectories: int
    packs: int
    fewest_packs: int | None = None
    tokens: int
    trained_tokens: int
    masked_tokens: int
    efficiency: float
    trained_spread: float
    cut_trajectories: int
    cut_steps: dict[str, dict[str, int]]
    dropped: dict[str, int]
    dropped_steps: dict[str, dict[str, int]] = {}
    epochs: float
    steps: int
    trained_tokens_seen: int
    seconds: float
    data_hash: str
    curve: list[dict[str, float]]


class Average(_Part):
    """The score averaged over environments, each counting the same however many tasks it has.

    ``difference`` is this arm minus the reference; None for the reference itself.
    """

    score: Interval
    difference: Interval | None


class ArmResult(_Part):
    """One row of the table. ``evaluations`` and ``differences`` (this arm minus the reference) are by environment.

    ``data`` counts the trajectories of each source by environment; ``options`` are those in which the arm departs from
    the method, by their place in the recipe; ``training`` is None for the base.
    """

    description: str
    data: dict[str, dict[str, int]]
    options: dict[str, Any]
    training: TrainingSummary | None
    evaluations: dict[str, Evaluation]
    differences: dict[str, dict[Metric, Interval]]
    average: Average


class EnvironmentResult(_Part):
    """What holds in one environment for every arm. ``tasks`` are the ids of U1, U2 and the evaluation.

    ``teacher`` is None where nothing was reflected.
    """

    protocol: EvaluationProtocol
    versions: dict[str, str]
    tasks: dict[str, list[str]]
    collections: dict[str, CollectionSummary]
    teacher: TeacherSummary | None = None


class Results(_Part):
    """An experiment's outcome with all it takes to repeat it: recipe, seeds, versions, protocol."""

    results_schema: Literal[3] = RESULTS_SCHEMA
    name: str
    description: str
    created: str
    seed: int
    reference: str
    versions: dict[str, str]
    base: str
    environments: dict[str, EnvironmentResult] = Field(min_length=1)
    arms: dict[str, ArmResult] = Field(min_length=1)
    seconds: dict[str, float]
    recipe: dict[str, Any]


class _Schema(BaseModel):
    """The one field that every version has."""

    results_schema: int


def summarise_collection(trajectories: Sequence[Trajectory], kept: Sequence[Trajectory], failed: int) -> CollectionSummary:
    """Counts of a collection."""
    steps: dict[Provenance, int] = {}
    rejected = 0
    for trajectory in kept:
        for step in trajectory.steps:
            steps[step.provenance] = steps.get(step.provenance, 0) + 1
            rejected += step.provenance == "error" and step.role == "teacher" and step.action is not None
    return CollectionSummary(
        tasks=len(trajectories) + failed,
        kept=len(kept),
        successes=sum(trajectory.outcome.success for trajectory in trajectories),
        failed=failed,
        steps=steps,
        rejected=rejected,
    )


Evaluations = Mapping[str, Evaluation]
"""Of one arm, by environment."""


def differences(
    arms: Mapping[str, Evaluations], reference: str, bootstrap: BootstrapConfig
) -> dict[str, dict[str, dict[Metric, Interval]]]:
    """Paired differences of every arm to the reference arm by environment; none for the reference itself."""
    against = arms[reference]
    return {
        name: {} if name == reference else {place: compare(against[place], one, bootstrap) for place, one in found.items()}
        for name, found in arms.items()
    }


def averages(arms: Mapping[str, Evaluations], reference: str, bootstrap: BootstrapConfig) -> dict[str, Average]:
    """Every arm's score averaged over its environments, and its paired difference to the reference arm."""
    against = arms[reference]
    averaged: dict[str, Average] = {}
    for name, found in arms.items():
        pairs = [(against[place], one) for place, one in found.items()]
        difference = None if name == reference else compare_averages(pairs, "score", bootstrap)
        averaged[name] = Average(score=average(list(found.values()), "score", bootstrap), difference=difference)
    return averaged


def save_results(results: Results, folder: Path) -> Path:
    """Write ``results.json`` in one move. Raises ``store_failed``."""
    return write_whole(folder / RESULTS_FILE, results.model_dump_json(indent=1))


def load_results(folder: Path) -> Results:
    """Read a run's results. Raises ``data_not_found``, or ``data_corrupt`` for damage and for another schema."""
    path = folder / RESULTS_FILE
    try:
        text = path.read_bytes()
        schema = _Schema.model_validate_json(text).results_schema
        if schema != RESULTS_SCHEMA:
            detail = f"{path}: results schema {schema}; this version reads {RESULTS_SCHEMA}: run the experiment again"
            raise RestepError("data_corrupt", detail)
        return Results.model_validate_json(text)
    except OSError as error:
        raise RestepError("data_not_found", f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RestepError("data_corrupt", f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
