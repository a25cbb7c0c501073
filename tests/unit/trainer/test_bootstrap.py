import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from trainer.bootstrap import BootstrapConfig, bootstrap_mean, paired_difference

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
