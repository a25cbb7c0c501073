"""Past one room: 10 to 10,000 nodes of episodes, by discrete-event simulation. Where the first bottleneck is, what 1,000
episodes at once need of everything, and what that costs.

    python -m benchmarks.simulate [--nodes 10 100 1000 10000] [--environment alfworld webshop sciworld]

The tables of docs/scale.md are what it prints; the same arguments print the same. What goes in stands in this file with
its origin: *measured* here by a benchmark that is named, *published*, or *assumed*; prices are options.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.fleet import STATIONS, Outcome, Room, Workload, provide, simulate
from benchmarks.stations import ModelSpeed


@dataclass(frozen=True, slots=True)
class GpuPace:
    """A 7B model on one GPU, in seconds: a pass takes ``base``, and ``context`` for each token that a sequence of it has behind
    it; a prompt token takes ``prefill``.
    """

    base: float
    context: float
    prefill: float

    def speed(self, context: float, most: int) -> ModelSpeed:
        """With dialogues of so many tokens."""
        return ModelSpeed(self.base, self.context * context, self.prefill, most)

    def throughput(self, batch: int, prompt: int, answer: int) -> float:
        """Tokens a second of a batch that begins and ends together, as throughput is published."""
        seconds = batch * prompt * self.prefill + answer * (self.base + batch * self.context * (prompt + answer / 2))
        return batch * answer / seconds


PUBLISHED: Final = ((64, 128, 128, 9193.0), (64, 128, 2048, 5367.0), (64, 2048, 128, 2058.0), (32, 2048, 2048, 2230.0))
"""Batch, prompt, answer, tokens/s of LLaMA 7B on one H100 in FP8: the table of NVIDIA's TensorRT-LLM 0.5.0
(docs/source/performance.md)."""
H100: Final = GpuPace(base=4.97e-3, context=9.36e-8, prefill=1.315e-5)
"""The three constants are solved from the first three rows; the fourth, which was not used, comes out at 2 % less."""
PLACES: Final = 90
"""Sequences at once on 80 GB: 7 GB of weights, half a megabyte a token of keys and values, 1,600 tokens."""
BATCH: Final = 64
UTILISATION: Final = 0.7

WORKLOADS: Final[dict[str, Workload]] = {
    # CPU of the servers: measured (benchmarks.load, benchmarks.alfworld, benchmarks.sciworld), but for beginning a
    # ScienceWorld episode, which is half of what a cold one took and so assumed. CPU of a node: measured
    # (benchmarks.calibrate). Bytes, steps and tokens: assumed, for trajectories of 1,500 to 3,000 tokens as JSON.
    "alfworld": Workload("alfworld", 15, 700, 60, 50, 0.0043, 0.00050, 0.0076, 1500, 6.0),
    "webshop": Workload("webshop", 6, 700, 300, 50, 0.0005, 0.00058, 0.0076, 2500, 6.0),
    "sciworld": Workload("sciworld", 25, 700, 60, 50, 0.25, 0.0098, 0.0076, 1500, 6.0),
}
COMMIT: Final = 0.0017
"""Seconds of a commit of one trajectory by one writer to SQLite: measured (benchmarks.calibrate)."""
LINK: Final = 1.25e9
"""Ten gigabits a second."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars: an hour of a GPU, of a core, of a database's writer; a gigabyte over the network. All assumed."""

    gpu: float
    core: float
    writer: float
    gigabyte: float

    def hourly(self, room: Room, nodes: float, rate: float) -> dict[str, float]:
        """What a room costs in an hour in which ``rate`` bytes a second go over its link; nodes have a core each."""
        return {
            "model": room.replicas * self.gpu,
            "environment": room.cores * self.core,
            "store": room.writers * self.writer,
            "network": rate * 3600 / 1e9 * self.gigabyte,
            "nodes": nodes * self.core,
        }


def room_of(workload: Workload) -> Room:
    """One room: a GPU, eight cores for environments, one writer, ten gigabits."""
    return Room(1, H100.speed(workload.context, PLACES), 8, 1, COMMIT, LINK)


def provided(workload: Workload, episodes: int) -> Room:
    """What so many episodes at once need."""
    speed = H100.speed(workload.context, PLACES)
    return provide(workload, speed, COMMIT, episodes, batch=BATCH, utilisation=UTILISATION)


@dataclass(frozen=True, slots=True)
class Span:
    """How long is simulated, in seconds, and by what dice."""

    warm_up: float
    seconds: float
    seed: int

    def run(self, workload: Workload, room: Room, nodes: int, at_once: int) -> Outcome:
        """See :func:`benchmarks.fleet.simulate`."""
        return simulate(workload, room, nodes, at_once, warm_up=self.warm_up, seconds=self.seconds, seed=self.seed)


# --- tables --------------------------------------------------------------------------------------------------


def ceiling(workload: Workload, room: Room) -> float:
    """Steps a second that environment, store and network can hold: what is simulated is too short for their queues to tell."""
    cores = room.cores / (workload.act + workload.begin / workload.steps)
    return min(cores, room.writers / room.commit * workload.steps, room.link / workload.bytes)


def _row(workload: Workload, room: Room, nodes: int, outcome: Outcome) -> str:
    """The time of a step is by Little's law, since in a queue that grows those who have left had the shortest."""
    steps = min(outcome.steps, ceiling(workload, room))
    uses = " | ".join(f"{100 * outcome.uses[station].utilisation:.0f} %" for station in STATIONS)
    cells = (
        f"| {workload.environment} | {nodes:,} | {outcome.at_once:,} | {steps:,.0f} | {outcome.at_once / steps:.2f} | {uses} |"
    )
    return f"{cells} {outcome.bottleneck} |"


def bottleneck_table(workloads: Sequence[Workload], nodes: Sequence[int], at_once: int, span: Span, *, scaled: bool) -> str:
    """Ever more nodes on one room; ``scaled``: with as many model servers as they need, so that the next bottleneck shows."""
    lines = [
        "| environment | nodes | episodes at once | steps/s | s a step | model | environment | store | network | fullest |",
        "|---" * 10 + "|",
    ]
    for workload in workloads:
        for count in nodes:
            room = room_of(workload)
            if scaled:
                room = replace(room, replicas=provided(workload, count * at_once).replicas)
            lines.append(_row(workload, room, count, span.run(workload, room, count, at_once)))
    return "\n".join(lines)


def capacity_table(workloads: Sequence[Workload], at_once: int, span: Span, prices: Prices) -> str:
    """What 1,000 episodes at once need and cost, and what a simulation of just that gives."""
    lines = [
        "| environment | GPUs | environment cores | store writers | network, Mbit/s | node cores | steps/s | episodes/min "
        "| $/h | of that GPUs | $ per 1,000 episodes |",
        "|---" * 11 + "|",
    ]
    for workload in workloads:
        nodes = 1000 // at_once
        room = provided(workload, 1000)
        outcome = span.run(workload, room, nodes, at_once)
        cores = outcome.steps * workload.client / UTILISATION
        costs = prices.hourly(room, cores, outcome.steps * workload.bytes)
        total = sum(costs.values())
        lines.append(
            f"| {workload.environment} | {room.replicas} | {room.cores} | {room.writers} | {room.link * 8 / 1e6:,.0f} "
            f"| {cores:.0f} | {outcome.steps:,.0f} | {60 * outcome.steps / workload.steps:,.0f} | {total:.2f} "
            f"| {100 * costs['model'] / total:.0f} % | {total / (3.6 * outcome.steps / workload.steps):.2f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Parse the command line, simulate, print."""
    parser = argparse.ArgumentParser(description="10 to 10,000 nodes of episodes, simulated.")
    parser.add_argument("--environment", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--at-once", type=int, default=4, help="episodes at once on a node")
    parser.add_argument("--warm-up", type=float, default=4.0, help="seconds before measuring")
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds measured")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gpu", type=float, default=2.5, help="dollars an hour")
    parser.add_argument("--core", type=float, default=0.04, help="dollars an hour")
    parser.add_argument("--writer", type=float, default=0.35, help="dollars an hour of a database that commits one at a time")
    parser.add_argument("--gigabyte", type=float, default=0.01, help="dollars a gigabyte between rooms")
    given = parser.parse_args()
    span = Span(given.warm_up, given.seconds, given.seed)
    workloads = [WORKLOADS[name] for name in given.environment]
    prices = Prices(given.gpu, given.core, given.writer, given.gigabyte)
    print("one room\n\n" + bottleneck_table(workloads, given.nodes, given.at_once, span, scaled=False), flush=True)
    print(
        "\nmodel servers as needed\n\n" + bottleneck_table(workloads, given.nodes, given.at_once, span, scaled=True), flush=True
    )
    print("\n1,000 episodes at once\n\n" + capacity_table(workloads, given.at_once, span, prices))
    return 0


if __name__ == "__main__":
    sys.exit(main())
