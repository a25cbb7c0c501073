import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from trainer.bootstrap import (
    BootstrapConfig,
    Interval,
    bootstrap_mean,
    paired_difference,
    stratified_difference,
    stratified_mean,
    stratified_ratio,
)

QUICK = BootstrapConfig(resamples=500)


def sample_of(size: int) -> list[float]:
    generator = random.Random(size)
    return [generator.random() for _ in range(size)]


values = st.lists(st.floats(min_value=-1, max_value=1), min_size=1, max_size=50)


@given(values)
def test_the_interval_holds_the_mean_and_stays_within_the_values(sample: list[float]) -> None:
    interval = bootstrap_mean(sample, QUICK)
    assert interval.mean == pytest.approx(math.fsum(sample) / len(sample), abs=1e-12)
    assert min(sample) - 1e-12 <= interval.low <= interval.high <= max(sample) + 1e-12
    assert interval.n == len(sample)


def test_the_same_seed_gives_the_same_interval_and_another_a_different_one() -> None:
    sample = sample_of(40)
    assert bootstrap_mean(sample, QUICK) == bootstrap_mean(sample, QUICK)
    assert bootstrap_mean(sample, QUICK) != bootstrap_mean(sample, QUICK.model_copy(update={"seed": 1}))


def test_the_resampled_means_come_in_blocks_without_changing_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(30)
    whole = bootstrap_mean(sample, QUICK)
    monkeypatch.setattr("trainer.bootstrap._AT_ONCE", 64)
    assert bootstrap_mean(sample, QUICK) == whole


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    config = BootstrapConfig(resamples=400, level=0.9)
    intervals = [bootstrap_mean([float(x) for x in generator.random(40) < 0.3], config) for _ in range(300)]
    covered = sum(interval.low <= 0.3 <= interval.high for interval in intervals) / len(intervals)
    assert 0.82 < covered < 0.97


def test_pairing_removes_what_the_tasks_have_in_common() -> None:
    hardness = {f"task/{i}": random.Random(i).random() for i in range(60)}
    better = {task: score + 0.1 for task, score in hardness.items()}
    paired = paired_difference(hardness, better, QUICK)
    assert paired.mean == pytest.approx(0.1)
    assert paired.high - paired.low < 1e-9
    alone = bootstrap_mean(list(hardness.values()), QUICK)
    assert alone.high - alone.low > 0.05


def test_only_common_tasks_are_compared_and_none_is_an_error() -> None:
    assert paired_difference({"a": 0.0, "b": 1.0}, {"b": 0.5, "c": 9.0}, QUICK).mean == -0.5
    with pytest.raises(RestepError, match="data_not_found"):
        paired_difference({"a": 0.0}, {"b": 0.0}, QUICK)


groups = st.lists(values, min_size=1, max_size=4)
pairs = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1)


def of_one_group(sample: list[float], config: BootstrapConfig) -> Interval:
    """The percentile bootstrap as the textbook has it."""
    array = np.asarray(sample)
    means = array[np.random.default_rng(config.seed).integers(0, len(array), (config.resamples, len(array)))].mean(axis=1)
    tail = (1.0 - config.level) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(mean=float(array.mean()), low=float(low), high=float(high), n=len(array), level=config.level)


@given(values)
def test_one_group_is_the_plain_bootstrap_to_the_last_bit(sample: list[float]) -> None:
    assert stratified_mean([sample], QUICK) == bootstrap_mean(sample, QUICK) == of_one_group(sample, QUICK)


@given(groups)
def test_the_estimate_is_the_mean_of_the_groups_means(samples: list[list[float]]) -> None:
    interval = stratified_mean(samples, QUICK)
    means = [math.fsum(sample) / len(sample) for sample in samples]
    assert interval.mean == pytest.approx(math.fsum(means) / len(means), abs=1e-12)
    assert interval.n == sum(len(sample) for sample in samples)


@given(groups)
def test_tasks_are_resampled_within_their_group(samples: list[list[float]]) -> None:
    interval = stratified_mean(samples, QUICK)
    least, most = (math.fsum(end(sample) for sample in samples) / len(samples) for end in (min, max))
    assert least - 1e-12 <= interval.low <= interval.high <= most + 1e-12


def test_groups_that_are_constant_leave_no_doubt_however_far_apart() -> None:
    interval = stratified_mean([[0.0] * 30, [1.0] * 3], QUICK)
    assert (interval.low, interval.mean, interval.high) == (0.5, 0.5, 0.5)


@given(st.lists(pairs, min_size=1, max_size=3))
def test_a_difference_over_groups_is_the_mean_of_the_groups_differences(places: list[dict[str, tuple[float, float]]]) -> None:
    arms = [({task: a for task, (a, _) in place.items()}, {task: b for task, (_, b) in place.items()}) for place in places]
    interval = stratified_difference(arms, QUICK)
    each = [paired_difference(one, two, QUICK).mean for one, two in arms]
    assert interval.mean == pytest.approx(math.fsum(each) / len(each), abs=1e-12)
    assert stratified_difference(arms[:1], QUICK) == paired_difference(*arms[0], QUICK)


@pytest.mark.parametrize("samples", [[], [[]], [[1.0], []]])
def test_a_group_without_a_task_is_an_error(samples: list[list[float]]) -> None:
    with pytest.raises(RestepError, match="data_not_found"):
        stratified_mean(samples, QUICK)


def test_blocks_do_not_change_the_result_of_several_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample_of(30), sample_of(7)]
    whole = stratified_mean(samples, QUICK)
    monkeypatch.setattr("trainer.bootstrap._AT_ONCE", 64)
    assert stratified_mean(samples, QUICK) == whole


pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20)


@given(st.lists(pairs, min_size=1, max_size=3))
def test_a_ratio_of_sums_lies_in_its_interval_and_is_none_without_a_denominator(groups: list[list[tuple[int, int]]]) -> None:
    parts = [[(float(min(a, b)), float(b)) for a, b in group] for group in groups]
    above = sum(pair[0] for group in parts for pair in group)
    below = sum(pair[1] for group in parts for pair in group)
    interval = stratified_ratio(parts, QUICK)
    if not below:
        assert interval is None
        return
    assert interval is not None
    assert interval.mean == pytest.approx(above / below)
    assert 0.0 <= interval.low <= interval.high <= 1.0
    assert interval.n == sum(map(len, groups))


def test_a_ratio_of_one_pair_a_task_over_one_is_the_mean() -> None:
    sample = sample_of(30)
    assert stratified_ratio([[(value, 1.0) for value in sample]], QUICK) == bootstrap_mean(sample, QUICK)
