"""Growth is told from what comes and goes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.memory import Processes, Sample, growth, lines


def samples(*sizes: int, name: str = "server") -> list[Sample]:
    return [Sample(float(number), number, 10, {name: size}) for number, size in enumerate(sizes)]


def test_growth_is_from_after_the_warm_up_to_the_last_tenth() -> None:
    sizes = [10] * 20 + [100] * 10 + [500] * 60 + [110] * 11
    (found,) = growth(samples(*sizes), 100)
    assert (found.before, found.after) == (100, 110)
    assert found.share == pytest.approx(0.1)


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_a_straight_line_grows_by_its_slope(start: int, slope: int) -> None:
    (found,) = growth(samples(*(start + slope * number for number in range(1001))), 1000)
    assert found.after - found.before == pytest.approx(slope * (950 - 249.5))


def test_a_process_that_was_not_there_all_the_time_is_left_out() -> None:
    kept = [Sample(each.seconds, each.episodes, 10, {"java 1": 1, "server": 2}) for each in samples(*[1] * 50)]
    replaced = [Sample(each.seconds, each.episodes + 50, 10, {"java 2": 1, "server": 2}) for each in samples(*[1] * 51)]
    assert [each.process for each in growth([*kept, *replaced], 100)] == ["server"]


def test_too_little_is_no_answer() -> None:
    assert growth(samples(1, 2, 3), 1000) == []


def test_a_chart_has_a_line_for_each_process() -> None:
    assert lines(samples(2**20, 2**21)) == {"server": [(0, 1.0), (1, 2.0)]}


def test_processes_are_a_server_and_its_children_by_name() -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    process = subprocess.Popen(
        [sys.executable, "-c", f"print(1, flush=True)\n{child}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    watched = Processes(process.pid)
    while len(found := watched.resident()) < 2:
        assert process.poll() is None
    assert list(found) == ["server", next(name for name in found if name.endswith(" 1"))]
    assert all(size > 0 for size in found.values())
    assert watched.cpu_seconds() > 0
    process.communicate(b"\n")
