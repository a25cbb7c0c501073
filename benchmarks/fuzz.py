"""Every service against its own OpenAPI: requests that schemathesis makes from the document, right ones and wrong ones.

    python -m benchmarks.fuzz --service alfworld webshop sciworld agent viewer --requests 10000

Each service runs as a process of its own with what comes along, on loopback, and is asked in rounds with other seeds
until it has counted as many requests itself (``/metrics``) or ``--minutes`` have passed. A round fails where an answer
is a 5xx, has a status, a type or a form that the document does not declare, takes what the document forbids, or forbids
what it declares; calls follow one another, so that sessions that exist are stepped, forked and ended. Failures, and a
table of answers by status, go to standard output; the exit code is 1 when anything failed, or requests are missing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.drive import serving

_COUNTED: Final = re.compile(r'^restep_request_seconds_count\{.*status="(\d+)"\} (\S+)$', re.MULTILINE)
CONFIGURATION: Final = """
[checks.positive_data_acceptance]
# What a schema cannot say: options of an environment, a session that has gone, a context that is full.
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "410", "413", "422", "429"]
"""
SERVICES: Final[Mapping[str, tuple[Sequence[str], Mapping[str, object]]]] = {
    # Leases end soon, so that there is always room for new sessions.
    "alfworld": (("--expert", "--capacity", "256"), {"lease_seconds": 20}),
    "webshop": (("--expert", "--capacity", "256"), {"lease_seconds": 20}),
    "sciworld": (("--expert", "--capacity", "256"), {"lease_seconds": 20}),
    # Answers are as long as the context has room: a short one.
    "agent": ((), {"max_context": 48}),
    "viewer": ((), {}),
}
"""Arguments and settings of each."""


@dataclass(frozen=True)
class Fuzzed:
    """What a service answered, by its own count, and what schemathesis found wrong."""

    service: str
    answers: Mapping[int, int]
    findings: str

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.answers.values())

    @property
    def server_errors(self) -> int:
        """Answers 5xx."""
        return sum(count for status, count in self.answers.items() if status >= 500)


async def attack(url: str, seed: int, examples: int) -> str:
    """One round against the service at ``url``, ``examples`` requests of each kind; what was found wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "schemathesis.toml"
        settings.write_text(CONFIGURATION)
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", f"{url}/openapi.json"]
        command += ["--seed", str(seed), "-n", str(examples), "--continue-on-failure", "--no-color", "--no-shrink"]
        command += ["--generation-database", "none", "--suppress-health-check", "all"]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    return said.decode(errors="replace") if process.returncode else ""


async def answers(url: str) -> dict[int, int]:
    """Requests by status, as the service counts them; those that were not routed included."""
    counted = Counter[int]()
    async with httpx.AsyncClient() as client:
        for status, count in _COUNTED.findall((await client.get(f"{url}/metrics")).text):
            counted[int(status)] += int(float(count))
    return dict(sorted(counted.items()))


async def fuzz(service: str, requests: int, runs: Path, *, examples: int, seed: int, minutes: float) -> Fuzzed:
    """Rounds against a service of its own, until there are so many requests or so many minutes have passed."""
    arguments, settings = SERVICES[service]
    findings, until, found = list[str](), time.monotonic() + 60 * minutes, dict[int, int]()
    os.environ["HF_HUB_OFFLINE"] = "1"  # names of checkpoints are made up, and not to be looked for in the network
    shown = ("--runs", str(runs)) if service == "viewer" else ()
    with serving(service, [*arguments, *shown], **settings) as (url, _):
        while sum(found.values()) < requests and time.monotonic() < until:
            findings.append(await attack(url, seed, examples))
            found, seed = await answers(url), seed + 1
    return Fuzzed(service, found, "\n".join(filter(None, findings)))


def table(results: Sequence[Fuzzed]) -> str:
    """Answers by status, in Markdown."""
    statuses = sorted({status for each in results for status in each.answers})
    lines = [f"| service | requests | {' | '.join(map(str, statuses))} |", "|---" * (2 + len(statuses)) + "|"]
    for each in results:
        cells = [f"{each.answers.get(status, 0):,}" for status in statuses]
        lines.append(f"| {each.service} | {each.requests:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Parse the command line and attack one service after another."""
    parser = argparse.ArgumentParser(description="Every service against its own OpenAPI.")
    parser.add_argument("--service", nargs="+", choices=list(SERVICES), default=list(SERVICES))
    parser.add_argument("--requests", type=int, default=10_000, help="of each service, at least")
    parser.add_argument("--examples", type=int, default=50, help="requests of each operation in a round's random phase")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="no round is begun later, for each service")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="what the viewer shows")
    given = parser.parse_args()
    results: list[Fuzzed] = []
    for service in given.service:
        options = {"examples": given.examples, "seed": given.seed, "minutes": given.minutes}
        results.append(asyncio.run(fuzz(service, given.requests, given.runs, **options)))
        if results[-1].findings:
            print(f"{service}:\n{results[-1].findings}\n", flush=True)
    print(table(results))
    wrong = [each for each in results if each.findings or each.server_errors or each.requests < given.requests]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
