"""The simulation of many nodes: its laws, its reproducibility, and the published figures it stands on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.calibrate import line
from benchmarks.fleet import STATIONS, Room, Workload, provide, simulate
from benchmarks.simulate import H100, PUBLISHED, WORKLOADS, Prices, Span, bottleneck_table, capacity_table, ceiling, provided
from benchmarks.stations import ModelSpeed

FAST = ModelSpeed(base=0.001, each=0.0, prefill=0.0, most=10**6)
PLAIN = Workload("any", 10, 100, 10, 10, begin=0.0, act=0.01, client=0.001, step_bytes=1000, token_bytes=4.0)
AMPLE = Room(replicas=8, speed=FAST, cores=64, writers=8, commit=0.001, link=1e9)


@pytest.mark.parametrize(("batch", "prompt", "answer", "published"), PUBLISHED)
def test_the_gpu_is_as_fast_as_published(batch: int, prompt: int, answer: int, published: float) -> None:
    assert H100.throughput(batch, prompt, answer) == pytest.approx(published, rel=0.03)


def test_a_line_through_points() -> None:
    assert line({1: 3.0, 3: 7.0, 5: 11.0}) == (pytest.approx(1.0), pytest.approx(2.0))
    assert line({1: 2.0, 9: 1.0}) == (pytest.approx(1.5), 0.0)


def test_the_same_arguments_give_the_same_outcome_and_another_seed_another() -> None:
    first, again, other = (simulate(PLAIN, AMPLE, 5, 4, warm_up=2, seconds=5, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_where_nothing_fills_a_step_takes_what_its_parts_take() -> None:
    outcome = simulate(PLAIN, AMPLE, 10, 1, warm_up=5, seconds=20)
    parts = 0.001 + 10 * 0.001 + 0.01 + 2 * AMPLE.round_trip + PLAIN.bytes / AMPLE.link
    assert outcome.step_time == pytest.approx(parts, rel=0.03)
    assert outcome.steps == pytest.approx(10 / (parts + 0.001 / 10 + AMPLE.round_trip / 10), rel=0.03)


@pytest.mark.parametrize(
    ("narrow", "rate"),
    [
        ({"cores": 1}, 1 / 0.01),
        ({"writers": 1, "commit": 0.2}, 10 / 0.2),
        ({"link": PLAIN.bytes * 50.0}, 50.0),
        ({"replicas": 1, "speed": ModelSpeed(0.0, 0.001, 0.0, 40)}, 1 / (10 * 0.001)),
    ],
    ids=["environment", "store", "network", "model"],
)
def test_the_narrowest_station_is_found_and_sets_the_rate(
    narrow: dict[str, object], rate: float, request: pytest.FixtureRequest
) -> None:
    outcome = simulate(PLAIN, replace(AMPLE, **narrow), 25, 4, warm_up=20, seconds=30)
    assert outcome.bottleneck in request.node.name
    assert outcome.steps == pytest.approx(rate, rel=0.15)


@settings(max_examples=6, deadline=None)
@given(
    nodes=st.integers(1, 6),
    at_once=st.integers(1, 6),
    cores=st.integers(1, 4),
    most=st.integers(1, 16),
    act=st.floats(0.001, 0.05),
    seed=st.integers(0, 1000),
)
def test_littles_law_holds_at_every_station_and_episodes_are_conserved(
    nodes: int, at_once: int, cores: int, most: int, act: float, seed: int
) -> None:
    workload, speed = replace(PLAIN, act=act), ModelSpeed(0.001, 0.0002, 0.0001, most)
    room = replace(AMPLE, replicas=1, cores=cores, speed=speed)
    outcome = simulate(workload, room, nodes, at_once, warm_up=10, seconds=40, seed=seed)
    for use in outcome.uses.values():
        assert 0.0 <= use.utilisation <= 1.0 + 1e-9
        assert use.inside <= nodes * at_once + 1e-6
    for station in ("model", "environment", "network"):
        visits = {"model": 1, "environment": 1 + 1 / workload.steps, "network": 2}[station]
        assert outcome.uses[station].rate == pytest.approx(outcome.steps * visits, rel=0.1)


def test_a_room_that_is_provided_holds_what_it_is_for() -> None:
    for workload in WORKLOADS.values():
        room = provided(workload, 100)
        outcome = simulate(workload, room, 25, 4, warm_up=5, seconds=10)
        assert all(outcome.uses[station].utilisation < 0.95 for station in STATIONS)
        alone = simulate(workload, room, 1, 1, warm_up=5, seconds=30)
        assert outcome.steps > 0.25 * 100 * alone.steps


def test_twice_the_episodes_need_twice_of_everything() -> None:
    speed = H100.speed(1500, 90)
    once, twice = (provide(WORKLOADS["sciworld"], speed, 0.006, count, batch=64, utilisation=0.7) for count in (4000, 8000))
    assert twice.link == pytest.approx(2 * once.link)
    assert twice.replicas == pytest.approx(2 * once.replicas, abs=1)
    assert twice.cores == pytest.approx(2 * once.cores, abs=1)


def test_no_more_is_promised_than_the_narrowest_station_holds() -> None:
    assert ceiling(PLAIN, replace(AMPLE, cores=3)) == pytest.approx(300)
    assert ceiling(PLAIN, replace(AMPLE, writers=2, commit=0.5)) == pytest.approx(40)
    assert ceiling(PLAIN, replace(AMPLE, link=7 * PLAIN.bytes)) == pytest.approx(7)


def test_prices_add_up_and_tables_have_a_row_for_everything() -> None:
    costs = Prices(2.0, 0.1, 0.5, 0.01).hourly(replace(AMPLE, replicas=3, cores=5, writers=2), 4, 1e6)
    assert costs == pytest.approx({"model": 6.0, "environment": 0.5, "store": 1.0, "network": 0.036, "nodes": 0.4})
    some, span = list(WORKLOADS.values()), Span(1.0, 1.0, 0)
    assert len(bottleneck_table(some, [2, 4], 2, span, scaled=True).splitlines()) == 2 + 2 * len(some)
    assert len(capacity_table(some[:1], 4, span, Prices(1, 1, 1, 1)).splitlines()) == 3
