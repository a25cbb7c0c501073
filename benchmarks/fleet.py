"""Episodes on many machines as a queueing network: what each step asks of the model server, the environment servers, the
store and the network, and what a room of them can give.

Closed: every node keeps so many episodes going, and a finished one is replaced. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from simpy import Environment, Event

from benchmarks.stations import BatchServer, ModelSpeed, Servers, Use, Window

STATIONS: Final = ("model", "environment", "store", "network")


@dataclass(frozen=True, slots=True)
class Workload:
    """What an episode asks for.

    ``steps`` on average; ``first`` tokens before the first step; each step brings ``observed`` tokens, which are new to the
    model server, and ``answer`` tokens. CPU: ``begin`` and ``act`` of the environment server, of an episode and of a step;
    ``client`` of the node, a step. ``step_bytes`` go to the environment and back, ``token_bytes`` for each token of the
    dialogue to the model server.
    """

    environment: str
    steps: float
    first: int
    observed: int
    answer: int
    begin: float
    act: float
    client: float
    step_bytes: int
    token_bytes: float

    @property
    def context(self) -> float:
        """Tokens of a dialogue in the middle of an episode."""
        return self.first + self.steps / 2 * (self.observed + self.answer)

    @property
    def bytes(self) -> float:
        """Over the network in a step, on average."""
        return self.step_bytes + self.token_bytes * (self.context + self.answer)


@dataclass(frozen=True, slots=True)
class Room:
    """What there is: model servers of a speed, cores for environments, writers of the store, a link; round trips in seconds."""

    replicas: int
    speed: ModelSpeed
    cores: int
    writers: int
    commit: float
    link: float
    round_trip: float = 0.0005


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a room gave: episodes at once, steps and episodes a second, the mean time of a step, and the use of each station."""

    at_once: int
    steps: float
    episodes: float
    step_time: float
    uses: dict[str, Use]

    @property
    def bottleneck(self) -> str:
        """The station with the highest utilisation."""
        return max(STATIONS, key=lambda name: self.uses[name].utilisation)


class Fleet:
    """One run of a workload in a room."""

    def __init__(self, workload: Workload, room: Room, window: Window, seed: int) -> None:
        self._env = Environment()
        self._workload, self._room, self._window = workload, room, window
        self._rng = random.Random(seed)
        self.models = [BatchServer(self._env, room.speed, Window(window.begin, window.end)) for _ in range(room.replicas)]
        self.cores = Servers(self._env, room.cores, Window(window.begin, window.end))
        self.store = Servers(self._env, room.writers, Window(window.begin, window.end))
        self.link = Servers(self._env, 1, Window(window.begin, window.end))
        self._steps = self._episodes = 0
        self._step_seconds = 0.0

    def run(self, nodes: int, at_once: int) -> Outcome:
        """Keep ``at_once`` episodes going on each node, until the window ends."""
        for number in range(nodes):
            node = Servers(self._env, 1, self._window)
            for lane in range(at_once):
                self._env.process(self._play(node, self.models[(number * at_once + lane) % len(self.models)]))
        self._env.run(self._window.end)
        seconds = self._window.end - self._window.begin
        mean = self._step_seconds / self._steps if self._steps else 0.0
        uses = {
            "model": _together([model.use() for model in self.models]),
            "environment": self.cores.use(),
            "store": self.store.use(),
            "network": self.link.use(),
        }
        return Outcome(nodes * at_once, self._steps / seconds, self._episodes / seconds, mean, uses)

    def _play(self, node: Servers, model: BatchServer) -> Generator[Event]:
        """One episode after another; the first is met somewhere on its way, so that not all are at the same step."""
        asked, room, env, rng = self._workload, self._room, self._env, self._rng
        step = rng.randrange(1, max(2, round(asked.steps)))
        yield env.timeout(rng.random())
        while True:
            steps = max(step + 1, rng.randint(ceil(asked.steps / 2), int(asked.steps * 1.5)))
            if step == 0:
                yield self.cores.visit(rng.expovariate(1 / asked.begin) if asked.begin else 0.0, room.round_trip)
            while step < steps:
                begun = env.now
                tokens = asked.first + step * (asked.observed + asked.answer)
                yield node.visit(asked.client)
                yield self.link.visit((tokens + asked.answer) * asked.token_bytes / room.link, room.round_trip)
                answer = rng.randint(ceil(asked.answer / 2), int(asked.answer * 1.5))
                yield model.visit(answer, prompt=asked.observed)
                yield self.cores.visit(rng.expovariate(1 / asked.act))
                yield self.link.visit(asked.step_bytes / room.link, room.round_trip)
                step += 1
                self._count(begun)
            yield self.store.visit(rng.expovariate(1 / room.commit))
            self._episodes += env.now >= self._window.begin
            step = 0

    def _count(self, begun: float) -> None:
        if self._env.now >= self._window.begin:
            self._steps += 1
            self._step_seconds += self._env.now - begun


def _together(uses: Sequence[Use]) -> Use:
    """Equal stations as one."""
    left = sum(use.left for use in uses)
    sojourn = sum(use.sojourn * use.left for use in uses) / left if left else 0.0
    return Use(sum(use.utilisation for use in uses) / len(uses), left, sojourn, sum(use.inside for use in uses))


def simulate(
    workload: Workload, room: Room, nodes: int, at_once: int, *, warm_up: float, seconds: float, seed: int = 0
) -> Outcome:
    """Play for ``warm_up`` seconds, then measure for ``seconds``. The same arguments give the same outcome."""
    return Fleet(workload, room, Window(warm_up, warm_up + seconds), seed).run(nodes, at_once)


def provide(workload: Workload, speed: ModelSpeed, commit: float, at_once: int, *, batch: int, utilisation: float) -> Room:
    """A room for so many episodes at once: batches of about ``batch``, everything else used to ``utilisation``.

    A step takes what the model takes for a batch of that size, prompts of the others included, and what the rest takes
    without queues; by that the rates are known, and by the rates the capacities.
    """
    pace = speed.base + speed.each * batch
    thinking = workload.answer * pace + batch * workload.observed * speed.prefill
    rest = workload.client + workload.act / utilisation + 2 * 0.0005 + workload.begin / workload.steps
    steps = at_once / (thinking + rest)
    replicas = max(1, ceil(steps * thinking / batch))
    cores = max(1, ceil(steps * (workload.act + workload.begin / workload.steps) / utilisation))
    writers = max(1, ceil(steps / workload.steps * commit / utilisation))
    return Room(replicas, speed, cores, writers, commit, steps * workload.bytes / utilisation)
