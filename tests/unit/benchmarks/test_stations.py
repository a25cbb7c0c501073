"""Stations against queueing theory: closed forms for what has one, and Little's law for everything."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simpy import Environment, Event

from benchmarks.stations import BatchServer, ModelSpeed, Servers, Window

Visit = Callable[[random.Random], Event]


def poisson(env: Environment, rate: float, visit: Visit, seed: int) -> None:
    """Customers at random, each of whom visits once."""
    rng = random.Random(seed)

    def arrivals() -> Generator[Event]:
        while True:
            yield env.timeout(rng.expovariate(rate))
            visit(rng)

    env.process(arrivals())


def erlang_c(servers: int, load: float) -> float:
    """Probability that a customer of an M/M/c queue waits; ``load`` is arrival rate times mean service time."""
    terms = [load**n / math.factorial(n) for n in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


@pytest.mark.parametrize(("servers", "utilisation"), [(1, 0.5), (1, 0.8), (2, 0.7), (4, 0.8), (16, 0.9)])
def test_a_queue_with_several_servers_is_erlangs(servers: int, utilisation: float) -> None:
    env, rate = Environment(), servers * utilisation
    station = Servers(env, servers, Window(1_000.0))
    poisson(env, rate, lambda rng: station.visit(rng.expovariate(1.0)), seed=servers)
    env.run(1_000.0 + 100_000.0 / servers)
    use = station.use()
    expected = 1.0 + erlang_c(servers, rate) / (servers - rate)
    assert use.utilisation == pytest.approx(utilisation, rel=0.03)
    assert use.sojourn == pytest.approx(expected, rel=0.08)
    assert use.inside == pytest.approx(rate * expected, rel=0.08)


@pytest.mark.parametrize("utilisation", [0.3, 0.6, 0.8])
def test_a_model_server_without_a_base_shares_its_time_equally(utilisation: float) -> None:
    """M/G/1 processor sharing: the mean time of a job of n tokens is n times the time of one over what is idle."""
    env = Environment()
    station = BatchServer(env, ModelSpeed(base=0.0, each=1.0, prefill=0.0, most=10**6), Window(1_000.0))
    poisson(env, utilisation / 5.0, lambda rng: station.visit(rng.choice((1, 9))), seed=3)
    env.run(100_000.0)
    use = station.use()
    assert use.sojourn == pytest.approx(5.0 / (1.0 - utilisation), rel=0.08)
    assert use.inside == pytest.approx(utilisation / (1.0 - utilisation), rel=0.1)


def test_a_model_server_without_a_marginal_cost_serves_everyone_at_once() -> None:
    env = Environment()
    station = BatchServer(env, ModelSpeed(base=0.1, each=0.0, prefill=0.0, most=10**6), Window(10.0))
    poisson(env, 20.0, lambda rng: station.visit(30), seed=1)
    env.run(500.0)
    assert station.use().sojourn == pytest.approx(3.0)
    assert station.use().inside == pytest.approx(60.0, rel=0.03)


def finish(env: Environment, event: Event) -> float:
    """When an event comes."""
    env.run(event)
    return env.now


def test_a_batch_advances_together_and_a_prompt_stalls_it() -> None:
    env = Environment()
    station = BatchServer(env, ModelSpeed(base=1.0, each=0.5, prefill=0.25, most=2), Window(0.0))
    first, second, third = station.visit(4), station.visit(2, prompt=8), station.visit(1)
    assert finish(env, second) == pytest.approx(2.0 + 2 * 2.0)  # stalled 8 x 0.25, then two tokens at 1 + 0.5 x 2
    assert finish(env, third) == pytest.approx(6.0 + 2.0)  # waited for a place
    assert finish(env, first) == pytest.approx(8.0 + 1.5)  # one token is left, alone
    assert station.use().utilisation == pytest.approx((8.0 + 1.5 / 2) / 9.5)  # places taken


def test_first_come_first_served() -> None:
    env = Environment()
    station = Servers(env, 1, Window(0.0))
    times = [finish(env, event) for event in (station.visit(2.0), station.visit(1.0, extra=0.5), station.visit(1.0))]
    assert times == [2.0, 3.5, 4.0]


def test_only_the_window_counts() -> None:
    env = Environment()
    station = Servers(env, 1, Window(10.0, 20.0))
    station.visit(15.0)
    station.visit(15.0)
    env.run(40.0)
    use = station.use()
    assert (use.utilisation, use.left, use.sojourn) == (1.0, 1, 15.0)
    assert use.inside == pytest.approx(1.5)


@settings(max_examples=30, deadline=None)
@given(
    rate=st.floats(0.05, 0.9),
    servers=st.integers(1, 4),
    base=st.floats(0.0, 0.2),
    each=st.floats(0.01, 0.2),
    most=st.integers(1, 8),
    seed=st.integers(0, 10**6),
)
def test_littles_law(rate: float, servers: int, base: float, each: float, most: int, seed: int) -> None:
    """Customers inside are arrivals a second times the time each stays, whatever the station: exact once all have left."""
    env = Environment()
    stations = (Servers(env, servers, Window(0.0)), BatchServer(env, ModelSpeed(base, each, 0.01, most), Window(0.0)))
    rng = random.Random(seed)

    def arrivals() -> Generator[Event]:
        for _ in range(200):
            yield env.timeout(rng.expovariate(rate))
            stations[0].visit(rng.expovariate(1.0))
            stations[1].visit(rng.randint(1, 5), prompt=rng.randint(0, 3))

    env.process(arrivals())
    env.run()
    for station in stations:
        use = station.use()
        assert use.left == 200
        assert use.inside * env.now == pytest.approx(200 * use.sojourn)
        assert use.rate * env.now == pytest.approx(200)
        assert 0.0 < use.utilisation <= 1.0 + 1e-9
