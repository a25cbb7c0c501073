"""What a teacher said of each step and what the environment's expert says of the same step, by replay.

The stored episode is played again on a server with ``--expert``. A step is judged where it was carried out; one that was
held back is tried in a fork. Verdicts of the expert cost engine time, so each compared episode is a line of a file,
and the comparison goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.client import EnvironmentClient, RemoteEpisode
from shared.errors import RestepError
from shared.protocol import Decision, StepVerdict
from shared.trajectory import Step, Trajectory
from trainer.concurrency import for_each
from trainer.progress import Report
from trainer.verify import check_answer, check_start, reopen

DECISIONS: Final[tuple[Decision, ...]] = get_args(Decision)
_KNOWN: Final[Mapping[str, Decision]] = {decision: decision for decision in DECISIONS}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Compared(_Part):
    """One step. A verdict's ``said`` is the judge's decision, or None where it gave none of those there are.

    A correction was written by ``judge``; nothing was said of it.
    """

    index: int
    kind: Literal["verdict", "correction"]
    judge: str
    said: Decision | None
    expert: Decision


class ComparedEpisode(_Part):
    """The steps of one trajectory that a judge had to do with."""

    trajectory: str
    environment: str
    task: str
    steps: list[Compared]


class ComparisonFile:
    """Compared episodes on disk, one a line; a line cut off by a kill is left out and compared again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def episodes(self) -> dict[str, ComparedEpisode]:
        """By trajectory id. Raises ``data_corrupt`` for a whole line that is no episode."""
        if not self.path.exists():
            return {}
        found: dict[str, ComparedEpisode] = {}
        for number, line in enumerate(self.path.read_bytes().split(b"\n")[:-1], start=1):
            try:
                episode = ComparedEpisode.model_validate_json(line)
            except ValidationError as error:
                if _torn(line):
                    continue
                raise RestepError("data_corrupt", f"{self.path}, line {number}: {error.errors()[0]['msg']}") from None
            found[episode.trajectory] = episode
        return found

    def add(self, episode: ComparedEpisode) -> None:
        """Append one, on a line of its own even after a cut-off one. Raises ``store_failed``."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            cut_off = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
            with self.path.open("ab") as file:
                file.write((b"\n" if cut_off else b"") + episode.model_dump_json().encode() + b"\n")
        except OSError as error:
            raise RestepError("store_failed", f"{self.path}: {error.strerror}") from None


async def compare_all(
    trajectories: Sequence[Trajectory],
    environment: EnvironmentClient,
    file: ComparisonFile,
    *,
    concurrency: int = 8,
    report: Report | None = None,
) -> list[ComparedEpisode]:
    """Compare what the file lacks, ``concurrency`` episodes at a time; returns the episodes in the order given.

    Raises ``expert_disabled``, ``not_supported``, ``expert_failed``, ``replay_diverged``; what was compared stays.
    """
    found = file.episodes()
    missing = [one for one in trajectories if one.id not in found]

    async def add(trajectory: Trajectory) -> None:
        episode = await compare(trajectory, environment)
        file.add(episode)
        found[episode.trajectory] = episode

    already = len(trajectories) - len(missing)
    await for_each(missing, add, concurrency=concurrency, found=already, report=report)
    return [found[trajectory.id] for trajectory in trajectories]


async def compare(trajectory: Trajectory, environment: EnvironmentClient) -> ComparedEpisode:
    """Replay one trajectory and ask the expert about every step that was judged or written by a teacher."""
    steps: list[Compared] = []
    async with await reopen(environment, trajectory) as played:
        check_start(trajectory, played)
        for step in trajectory.steps:
            if step.action is None:
                continue
            carried_out = step.observation_hash is not None
            if carried_out:
                check_answer(trajectory, step, await played.step(step.action))
            if step.verdict is None and step.role != "teacher":
                continue
            verdict = await _here(played) if carried_out else await _tried(played, step.action)
            steps.append(_compared(step, verdict))
    return ComparedEpisode(
        trajectory=trajectory.id, environment=trajectory.environment.name, task=trajectory.task.id, steps=steps
    )


async def _here(played: RemoteEpisode) -> StepVerdict:
    verdict = (await played.expert()).verdict
    if verdict is None:
        raise RestepError("expert_failed", f"no verdict on step {len(played.steps)} of {played.view.task.id}")
    return verdict


async def _tried(played: RemoteEpisode, action: str) -> StepVerdict:
    async with await played.fork() as trial:
        await trial.step(action)
        return await _here(trial)


def _compared(step: Step, verdict: StepVerdict) -> Compared:
    """A teacher's own step is a correction, also where it was rejected in its turn; others carry the judge's verdict."""
    if step.role == "teacher" or step.verdict is None:
        return Compared(index=step.index, kind="correction", judge=step.author, said=None, expert=verdict.decision)
    said = _KNOWN.get(step.verdict.decision)
    return Compared(index=step.index, kind="verdict", judge=step.verdict.judge, said=said, expert=verdict.decision)


def _torn(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return True
    return False
