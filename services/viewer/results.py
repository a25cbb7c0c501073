"""``results.json`` by its shape: what the table of a run shows of it, and nothing else.

The file is the trainer's; a viewer may be older or newer than what wrote it, so fields it does not know are no error.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ValidationError

from services.viewer.files import RunFiles
from shared.errors import RestepError

RESULTS_FILE: Final = "results.json"
SCHEMA: Final = 3


class Interval(BaseModel):
    """A mean over ``n`` tasks with its interval of confidence ``level``; all but ``n`` are fractions."""

    mean: float
    low: float
    high: float
    n: int
    level: float


class Evaluation(BaseModel):
    """An arm in one environment."""

    metrics: dict[str, Interval]


class Average(BaseModel):
    """The score over environments, and its paired difference to the reference."""

    score: Interval
    difference: Interval | None


class Training(BaseModel):
    """What an arm was trained on."""

    trajectories: int
    trained_tokens: int
    masked_tokens: int


class Arm(BaseModel):
    """One row of the table."""

    description: str
    training: Training | None
    evaluations: dict[str, Evaluation]
    average: Average


class Results(BaseModel):
    """An experiment's outcome."""

    results_schema: int
    name: str
    description: str
    created: str
    seed: int
    reference: str
    base: str
    arms: dict[str, Arm]

    @property
    def environments(self) -> list[str]:
        """Every environment that an arm was evaluated in, in the order of the file."""
        return list(dict.fromkeys(name for arm in self.arms.values() for name in arm.evaluations))


class _Schema(BaseModel):
    results_schema: int


def read_results(files: RunFiles) -> Results:
    """The results of a run. Raises ``data_not_found``, or ``data_corrupt`` for damage and for another schema."""
    raw = files.read(RESULTS_FILE)
    try:
        schema = _Schema.model_validate_json(raw).results_schema
        if schema != SCHEMA:
            raise RestepError("data_corrupt", f"{RESULTS_FILE}: schema {schema}; this viewer reads {SCHEMA}")
        return Results.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RestepError("data_corrupt", f"{RESULTS_FILE}: {where}: {first['msg']}") from None
