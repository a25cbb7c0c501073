"""What an experiment found, as one JSON document: everything the report and the table show is in here, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import RestepError
from shared.trajectory import Provenance, Trajectory
from trainer.bootstrap import BootstrapConfig, Interval
from trainer.evaluate import Evaluation, Metric, compare
from trainer.files import write_whole

RESULTS_FILE: Final = "results.json"
RESULTS_SCHEMA: Final = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CollectionSummary(_Part):
    """What a collection holds. ``steps`` counts the steps of the kept trajectories by provenance."""

    tasks: int
    kept: int
    successes: int
    failed: int
    steps: dict[Provenance, int]


class TrainingSummary(_Part):
    """How an arm was trained. Tokens are of one epoch; ``curve`` has a row for each logged optimiser step."""

    trajectories: int
    tokens: int
    trained_tokens: int
    masked_tokens: int
    epochs: float
    seconds: float
    data_hash: str
    curve: list[dict[str, float]]


class ArmResult(_Part):
    """One row of the table. ``training`` is None for the base; ``differences`` are this arm minus the reference."""

    description: str
    data: list[str]
    training: TrainingSummary | None
    evaluation: Evaluation
    differences: dict[Metric, Interval]


class Results(_Part):
    """An experiment's outcome with all it takes to repeat it: recipe, seeds, versions, protocol."""

    results_schema: int = RESULTS_SCHEMA
    name: str
    description: str
    created: str
    seed: int
    reference: str
    versions: dict[str, str]
    base: str
    tasks: dict[str, list[str]]
    collections: dict[str, CollectionSummary]
    arms: dict[str, ArmResult]
    seconds: dict[str, float]
    recipe: dict[str, Any]


def summarise_collection(trajectories: Sequence[Trajectory], kept: Sequence[Trajectory], failed: int) -> CollectionSummary:
    """Counts of a collection."""
    steps: dict[Provenance, int] = {}
    for trajectory in kept:
        for step in trajectory.steps:
            steps[step.provenance] = steps.get(step.provenance, 0) + 1
    return CollectionSummary(
        tasks=len(trajectories) + failed,
        kept=len(kept),
        successes=sum(trajectory.outcome.success for trajectory in trajectories),
        failed=failed,
        steps=steps,
    )


def differences(
    evaluations: dict[str, Evaluation], reference: str, bootstrap: BootstrapConfig
) -> dict[str, dict[Metric, Interval]]:
    """Paired differences of every arm to the reference arm; none for the reference itself."""
    against = evaluations[reference]
    return {name: {} if name == reference else compare(against, one, bootstrap) for name, one in evaluations.items()}


def save_results(results: Results, folder: Path) -> Path:
    """Write ``results.json`` in one move. Raises ``store_failed``."""
    return write_whole(folder / RESULTS_FILE, results.model_dump_json(indent=1))


def load_results(folder: Path) -> Results:
    """Read a run's results. Raises ``data_not_found`` or ``data_corrupt``."""
    path = folder / RESULTS_FILE
    try:
        return Results.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RestepError("data_not_found", f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RestepError("data_corrupt", f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
