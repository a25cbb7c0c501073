"""Soak and load of an environment server: memory over thousands of episodes, sessions by the thousand, too many clients,
and one to four server processes.

    python -m benchmarks.load --environment alfworld|webshop|sciworld --episodes 10000 --sessions 1000 --output FOLDER

Real server processes on loopback with the data that come along, driven by short episodes of a seeded policy.

*Soak*: all sessions are begun at once; each steps at the pace of an agent that thinks (``--think`` seconds on average) for
``--paced`` seconds; then all play without a pause until ``--episodes`` are finished. As many sessions are held all the
time. Memory of each process of the server is read 300 times; its growth is its median over the last tenth of the
episodes against its median between a fifth and three tenths of them, and more than 5 % fails. *Overload*: a small
server and many more clients than it has room for; any answer but success and 429 with Retry-After fails. *Scaling*: the
same load on 1 to 4 server processes. Bounded by ``--minutes``. FOLDER gets ``results.json``, ``memory.jsonl`` and
``memory.svg``; tables in Markdown go to standard output. The exit code is 1 when something failed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from benchmarks.drive import serving
from benchmarks.episodes import MANNERS, Latency
from benchmarks.memory import GROWTH, lines
from benchmarks.overload import CAPACITY, QUEUE, Overload, overload
from benchmarks.scaling import Scaling, scale
from benchmarks.soak import Load, Soak, soak
from shared.serving import new_event_loop
from trainer.charts import line_chart

PHASES: Final = ("soak", "overload", "scaling")
SERVERS: Final = (1, 2, 3, 4)


@dataclass
class Report:
    """What was measured of one environment."""

    environment: str
    workers: int
    cores: int
    episodes: int
    soak: Soak | None = None
    overload: Overload | None = None
    scaling: list[Scaling] = field(default_factory=list[Scaling])

    def failures(self) -> list[str]:
        """What is not as it has to be, a line each."""
        found: list[str] = []
        if self.soak is not None:
            soaked = self.soak
            if soaked.episodes < self.episodes:
                found.append(f"only {soaked.episodes} of {self.episodes} episodes were finished in time")
            if not soaked.growth:
                found.append("memory was looked at too seldom to tell whether it grows")
            grown = [each for each in soaked.growth if each.share > GROWTH]
            found += [f"{each.process} grew by {100 * each.share:.1f} %" for each in grown]
            if any(not 200 <= status < 300 and status != 429 for status in soaked.statuses):
                found.append(f"the soak was answered {soaked.statuses}")
            if soaked.fewest < soaked.sessions:
                found.append(f"only {soaked.fewest} of {soaked.sessions} sessions were held")
            if soaked.left:
                found.append(f"{soaked.left} sessions were left when all had been given back")
        if self.overload is not None:
            if self.overload.wrong:
                found.append(f"over capacity {self.overload.wrong} answers were neither success nor 429 with Retry-After")
            if not self.overload.refused:
                found.append("the server never refused, so nothing is known of its refusals")
        return found


@contextmanager
def server(environment: str, workers: int, capacity: int, **settings: int) -> Generator[tuple[int, int]]:
    """A server with the embedded data: its port and process id."""
    with serving(environment, ["--workers", str(workers), "--capacity", str(capacity)], **settings) as (url, process):
        port = httpx.URL(url).port
        assert port is not None
        yield port, process.pid


async def measure(given: argparse.Namespace, report: Report) -> None:
    """All phases that are asked for, into ``report``."""
    name, workers = given.environment, given.workers
    if "soak" in given.only:
        load = Load(name, given.sessions, given.episodes, given.steps, given.think, given.paced, 60 * given.soak_minutes)
        with server(name, workers, 2 * given.sessions) as (port, pid):
            report.soak = await soak(load, port, pid)
    if "overload" in given.only:
        with server(name, workers, CAPACITY, queue=QUEUE) as (port, _):
            report.overload = await overload(name, port, given.clients, given.requests, given.steps)
    for count in SERVERS if "scaling" in given.only else ():
        with ExitStack() as stack:
            some = [stack.enter_context(server(name, workers, given.lanes)) for _ in range(count)]
            load = (given.lanes, given.scale_episodes, given.steps)
            report.scaling.append(await scale(name, [port for port, _ in some], [pid for _, pid in some], load))


# --- tables --------------------------------------------------------------------------------------------------


def _latencies(pace: str, rows: Sequence[Latency]) -> list[str]:
    return [f"| {pace} | `{row.route}` | {row.calls:,} | {row.p50:.1f} | {row.p99:.1f} |" for row in rows]


def tables(report: Report) -> str:
    """Everything in Markdown."""
    made: list[str] = []
    if (soaked := report.soak) is not None:
        rows = [
            f"| {g.process} | {g.before / 2**20:.1f} | {g.after / 2**20:.1f} | {100 * g.share:+.1f} % |" for g in soaked.growth
        ]
        made.append("\n".join(["| process | MB after warm-up | MB at the end | growth |", "|---|---|---|---|", *rows]))
        made.append(
            f"{soaked.episodes:,} episodes, {soaked.steps:,} steps in {soaked.seconds:.0f} s "
            f"({soaked.steps / soaked.seconds:.0f} steps/s, server CPU {soaked.server_cpu_ms:.3f} ms a step); at least "
            f"{soaked.fewest:,} sessions held; paced: {soaked.paced_steps_per_second:.1f} steps/s; answers {soaked.statuses}"
        )
        head = ["| pace | call | calls | p50 ms | p99 ms |", "|---|---|---|---|---|"]
        paces = (("all at once", soaked.opening), ("paced", soaked.paced), ("flat out", soaked.flat_out))
        made.append("\n".join([*head, *(line for pace, rows in paces for line in _latencies(pace, rows))]))
    if (over := report.overload) is not None:
        rows = [
            f"| `{route}` | {sum(n for status, n in by.items() if status < 300):,} | {by.get(429, 0):,} "
            f"| {sum(n for status, n in by.items() if status >= 300 and status != 429):,} |"
            for route, by in over.answers.items()
        ]
        made.append("\n".join(["| over capacity | success | 429 | other |", "|---|---|---|---|", *rows]))
    if report.scaling:
        head = "| servers | steps/s | server CPU ms a step | p50 ms | p99 ms | cores: servers | clients | other work |"
        rows = [
            f"| {s.servers} | {s.rate:,.0f} | {s.server_cpu_ms:.3f} | {s.p50:.1f} | {s.p99:.1f} "
            f"| {s.server_cores:.2f} | {s.client_cores:.2f} | {s.other_cores:.2f} |"
            for s in report.scaling
        ]
        made.append("\n".join([head, "|---" * 8 + "|", *rows]))
    return "\n\n".join(made)


def write(report: Report, folder: Path) -> None:
    """``results.json``, and of a soak ``memory.jsonl`` and ``memory.svg``."""
    document: dict[str, Any] = asdict(report)
    if report.soak is not None:
        samples = document["soak"].pop("samples")
        (folder / "memory.jsonl").write_bytes(b"".join(orjson.dumps(sample) + b"\n" for sample in samples))
        (folder / "memory.svg").write_text(line_chart(lines(report.soak.samples), x="episodes finished", y="resident MB"))
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    (folder / "results.json").write_bytes(orjson.dumps(document, option=options))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description="Soak and load of an environment server.")
    made.add_argument("--environment", choices=sorted(MANNERS), required=True)
    made.add_argument("--episodes", type=int, default=10_000, help="of the soak")
    made.add_argument("--sessions", type=int, default=1000, help="held at once in the soak")
    made.add_argument("--steps", type=int, default=8, help="step limit of an episode")
    made.add_argument("--workers", type=int, default=2, help="engine workers of a server")
    made.add_argument("--think", type=float, default=20.0, help="seconds between two steps of a session, paced")
    made.add_argument("--paced", type=float, default=60.0, help="seconds of the soak that are paced")
    made.add_argument("--clients", type=int, default=128, help="over capacity")
    made.add_argument("--requests", type=int, default=5000, help="over capacity")
    made.add_argument("--lanes", type=int, default=48, help="sessions at once, scaling")
    made.add_argument("--scale-episodes", type=int, default=1200, help="episodes with each number of servers")
    made.add_argument("--only", nargs="+", choices=PHASES, default=list(PHASES))
    made.add_argument("--soak-minutes", type=float, default=60.0, help="end the soak after so long; missing episodes fail it")
    made.add_argument("--minutes", type=float, default=90.0, help="stop after so long, whatever is unfinished")
    made.add_argument("--output", type=Path, required=True, help="folder for results")
    return made


async def run(given: argparse.Namespace) -> Report:
    """Measure within the time there is. Raises SystemExit when it is over."""
    report = Report(given.environment, given.workers, os.cpu_count() or 1, given.episodes)
    try:
        async with asyncio.timeout(60 * given.minutes):
            await measure(given, report)
    except TimeoutError:
        raise SystemExit(f"unfinished after {given.minutes:g} minutes") from None
    return report


def main() -> int:
    """Parse the command line, measure, write."""
    given = parser().parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        report = runner.run(run(given))
    write(report, given.output)
    print(tables(report))
    failures = report.failures()
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
