"""``restep report judge``: every verdict and correction of a run's teacher beside the expert's word on the same step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from trainer.folder import RunFolder, collection_name
from trainer.judge.comparison import ComparedEpisode, ComparisonFile, compare_all
from trainer.judge.figures import JudgeReport, judge_figures
from trainer.progress import bar
from trainer.recipe import Recipe
from trainer.versions import environment_versions
from trainer.workplace import Workplace

FOLDER: Final = "judge"


async def examine(folder: RunFolder, settings: Sequence[str], console: Console, limit: int | None = None) -> JudgeReport:
    """Compare the reflected episodes of every environment of a run, at most ``limit`` of each, and work out the figures.

    ``settings`` are laid over the run's recipe, to say where servers are. Goes on where it stopped. Raises
    ``data_not_found`` for a run without reflected episodes, and what :func:`compare_all` raises.
    """
    recipe = folder.recipe(settings)
    with folder.store() as store:
        held = {name: await asyncio.to_thread(_chosen, store, name, limit) for name in recipe.environments}
    held = {name: trajectories for name, trajectories in held.items() if trajectories}
    if not held:
        raise RestepError("data_not_found", f"{folder.path} has no reflected episode of {', '.join(recipe.environments)}")
    workplace = Workplace(recipe, folder.logs)
    try:
        compared: list[ComparedEpisode] = []
        stamps: dict[str, dict[str, str]] = {}
        for name, trajectories in held.items():
            environment = await workplace.environment(name)
            compared += await _compared(folder, name, trajectories, environment, console)
            stamps[name] = environment_versions(await environment.info())
    finally:
        await workplace.close()
    return _report(recipe, compared, stamps)


def _report(recipe: Recipe, compared: Sequence[ComparedEpisode], stamps: dict[str, dict[str, str]]) -> JudgeReport:
    errors, bootstrap = sorted(recipe.reflected.errors), recipe.evaluation.bootstrap
    return JudgeReport(
        run=recipe.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        errors=errors,
        bootstrap=bootstrap,
        versions=stamps,
        figures=judge_figures(compared, errors, bootstrap),
    )


async def _compared(
    folder: RunFolder, name: str, trajectories: list[Trajectory], environment: EnvironmentClient, console: Console
) -> list[ComparedEpisode]:
    file = ComparisonFile(folder.path / FOLDER / f"{name}.jsonl")
    with folder.timed(f"judge, {name}"), bar(f"asking the expert, {name}", console) as report:
        return await compare_all(trajectories, environment, file, report=report)


def _chosen(store: TrajectoryStore, environment: str, limit: int | None) -> list[Trajectory]:
    """The reflected episodes, kept or not; a limit takes them by their hash, so that it favours no task."""
    found = list(store.trajectories(collection_name("reflected", environment)))
    return found if limit is None else sorted(found, key=lambda one: one.id)[:limit]
