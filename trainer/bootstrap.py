"""How sure a mean is: percentile bootstrap over tasks (Efron 1979), seeded, for means and for paired differences.

Tasks are what is sampled, not episodes: several attempts at one task are averaged first, because they are not
independent. Two arms that played the same tasks are compared by the differences per task, which removes how hard
the tasks are from the comparison. Tasks may come in groups, one an environment: each group then counts the same
however many tasks it has, and tasks are resampled within their group, because the groups were chosen, not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import RestepError
from trainer.options import Options

_AT_ONCE: Final = 4_000_000


class BootstrapConfig(Options):
    """How intervals are computed."""

    resamples: int = Field(default=10_000, ge=1, description="resampled means")
    level: float = Field(default=0.95, gt=0.0, lt=1.0, description="confidence of the interval")
    seed: int = Field(default=0, description="seed of the resampling")


class Interval(BaseModel):
    """A mean over ``n`` tasks with its percentile interval. ``level`` is the confidence, 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: float
    low: float
    high: float
    n: int
    level: float


def bootstrap_mean(values: Sequence[float], config: BootstrapConfig) -> Interval:
    """Mean of ``values`` (one a task) and its interval. Raises ``data_not_found`` for no values."""
    return stratified_mean([values], config)


def stratified_mean(groups: Sequence[Sequence[float]], config: BootstrapConfig) -> Interval:
    """Mean of the groups' means and its interval. Raises ``data_not_found`` for no group or one without values."""
    if not groups or not all(groups):
        raise RestepError("data_not_found", "no task to average over")
    samples = [np.asarray(values, dtype=np.float64) for values in groups]
    generator = np.random.default_rng(config.seed)
    means = np.mean([_resampled(sample, generator, config.resamples) for sample in samples], axis=0)
    tail = (1.0 - config.level) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    mean = float(np.mean([sample.mean() for sample in samples]))
    return Interval(mean=mean, low=float(low), high=float(high), n=sum(map(len, groups)), level=config.level)


def stratified_ratio(groups: Sequence[Sequence[tuple[float, float]]], config: BootstrapConfig) -> Interval | None:
    """A ratio of sums over (numerator, denominator), one pair a task, and its interval; None where it has no denominator.

    Precision, recall and F1 are such ratios: what is summed belongs together by task, so tasks are resampled, within
    their group. Resamples without a denominator say nothing and are left out.
    """
    samples = [np.asarray(pairs, dtype=np.float64).reshape(-1, 2) for pairs in groups if pairs]
    above, below = (sum(float(sample[:, side].sum()) for sample in samples) for side in (0, 1))
    if below == 0:
        return None
    generator = np.random.default_rng(config.seed)
    sums = np.sum([_resampled_sums(sample, generator, config.resamples) for sample in samples], axis=0)
    ratios = sums[sums[:, 1] > 0]
    tail = (1.0 - config.level) / 2.0
    low, high = np.quantile(ratios[:, 0] / ratios[:, 1], [tail, 1.0 - tail])
    return Interval(mean=above / below, low=float(low), high=float(high), n=sum(map(len, samples)), level=config.level)


def _resampled_sums(pairs: NDArray[np.float64], generator: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """Sums of so many samples of pairs with replacement; shape (resamples, 2)."""
    rows = max(1, _AT_ONCE // len(pairs))
    return np.concatenate(
        [
            pairs[generator.integers(0, len(pairs), size=(min(rows, resamples - done), len(pairs)))].sum(axis=1)
            for done in range(0, resamples, rows)
        ]
    )


def _resampled(sample: NDArray[np.float64], generator: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """Means of so many samples with replacement, drawn in blocks that bound the memory."""
    rows = max(1, _AT_ONCE // len(sample))
    return np.concatenate(
        [
            sample[generator.integers(0, len(sample), size=(min(rows, resamples - done), len(sample)))].mean(axis=1)
            for done in range(0, resamples, rows)
        ]
    )


Paired = tuple[Mapping[str, float], Mapping[str, float]]
"""Values of two arms by task id."""


def paired_difference(one: Mapping[str, float], two: Mapping[str, float], config: BootstrapConfig) -> Interval:
    """Mean of ``two - one`` over the tasks that both have, by task id. Raises ``data_not_found`` when there is none."""
    return stratified_difference([(one, two)], config)


def stratified_difference(groups: Sequence[Paired], config: BootstrapConfig) -> Interval:
    """:func:`paired_difference` over groups that count the same each; see :func:`stratified_mean`."""
    return stratified_mean([[two[task] - one[task] for task in sorted(one.keys() & two.keys())] for one, two in groups], config)
