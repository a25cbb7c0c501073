"""The three stages of STeP (arXiv 2505.20023) as one resumable experiment: collect, train the arms, evaluate, report.

Every stage looks at what the run's folder and store already hold and does the rest, so the same command goes on where
it stopped. Nothing here knows an environment or an ablation by name: both are in the recipe.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from rich.console import Console

from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.trajectory import Trajectory
from trainer.collection import Collected
from trainer.evaluate import Evaluation, evaluate
from trainer.finetune import FinetuneResult, finetune_in_thread, load_card
from trainer.folder import GOLDEN, REFLECTED, RunFolder
from trainer.golden import collect_golden
from trainer.progress import bar
from trainer.recipe import Arm, Recipe, Source
from trainer.reflect import collect_reflected
from trainer.report import episodes_worth_showing, write_report
from trainer.results import (
    ArmResult,
    CollectionSummary,
    Results,
    TrainingSummary,
    differences,
    save_results,
    summarise_collection,
)
from trainer.shipped import NAME as BASE
from trainer.shipped import locate
from trainer.split import SplitConfig, half, split_tasks
from trainer.table import arms_table
from trainer.tasks import select_tasks
from trainer.teacher.expert import ExpertTeacher
from trainer.training_progress import training_bar
from trainer.versions import versions
from trainer.workplace import Workplace

_MIXING_SALT: Final = "golden share"


class Experiment:
    """One recipe in its folder. Use as an async context manager: servers it starts end with the block."""

    def __init__(self, recipe: Recipe, runs: Path, console: Console) -> None:
        self.recipe, self.console = recipe, console
        self.folder = RunFolder.claim(recipe, runs)
        self.store = self.folder.store()
        self._workplace = Workplace(recipe, self.folder.logs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._workplace.close()
        self.store.close()

    # --- stages --------------------------------------------------------------------------------------------

    async def run(self) -> Results:
        """All stages, then ``results.json``, ``report.html`` and the table."""
        await self.golden()
        await self.train(self.recipe.student)
        if any("reflected_u2" in arm.data for arm in self.recipe.arms.values()):
            await self.reflected()
        for arm in self.recipe.arms:
            await self.train(arm)
        names = [*([BASE] if self.recipe.evaluate_base else []), *self.recipe.arms]
        evaluations = {name: await self.evaluate(name) for name in names}
        return await self._conclude(evaluations)

    async def golden(self) -> None:
        """D1 and D2: the expert plays all training tasks."""
        environment = await self._workplace.environment()
        tasks = await select_tasks(environment, self.recipe.tasks)
        with self.folder.timed("golden"), bar("golden trajectories", self.console) as report:
            collected = await collect_golden(GOLDEN, tasks, environment, self.store, self.recipe.golden, report)
        self._warn(collected)

    async def reflected(self) -> None:
        """The student plays U2 under the teacher's eyes."""
        checkpoint = self._checkpoint(self.recipe.student)
        environment = await self._workplace.environment()
        student = await self._workplace.student(checkpoint, self.recipe.sampling)
        info = await environment.info()
        teacher = ExpertTeacher(info.name, info.engine_version)
        _, u2 = await self._halves()
        with self.folder.timed("reflected"), bar("reflected trajectories", self.console) as report:
            collected = await collect_reflected(
                REFLECTED, u2, environment, student, teacher, self.store, self.recipe.reflected, report
            )
        self._warn(collected)

    async def train(self, name: str) -> FinetuneResult:
        """Fine-tune the base on an arm's data. Resumes; an arm that is trained already is only read."""
        arm = self._arm(name)
        if arm.start != BASE and load_card(self.folder.arm(arm.start)) is None:
            await self.train(arm.start)
        trajectories = await self._trajectories(arm)
        config = self.recipe.finetune_config(arm, self._checkpoint(arm.start), self.folder.arm(name))
        if load_card(self.folder.arm(name)) is not None:
            return await finetune_in_thread(config, trajectories)  # checks that it was trained so
        with self.folder.timed(f"train {name}"), training_bar(f"training {name}", self.console) as report:
            return await finetune_in_thread(config, trajectories, report)

    async def evaluate(self, name: str) -> Evaluation:
        """Play the held-out tasks with an arm's model, or with the untrained base."""
        config = self.recipe.evaluation
        checkpoint = self._checkpoint(name)
        environment = await self._workplace.environment()
        student = await self._workplace.student(checkpoint, config.sampling)
        tasks = await select_tasks(environment, self.recipe.evaluation_tasks)
        with self.folder.timed(f"evaluate {name}"), bar(f"evaluating {name}", self.console) as report:
            return await evaluate(f"evaluation/{name}", tasks, environment, student, self.store, config, report)

    def _warn(self, collected: Collected) -> None:
        """Say what was given up, and why: a collection with holes must not look like a whole one."""
        if not collected.failed:
            return
        causes = Counter(failure.code for failure in self.store.failures(collected.run) if not failure.resolved)
        named = ", ".join(f"{cause} {count}" for cause, count in causes.most_common())
        self.console.print(f"[yellow]{collected.run}: {collected.failed} of {collected.total} episodes were given up ({named})")

    # --- data ----------------------------------------------------------------------------------------------

    async def _halves(self) -> tuple[list[TaskInfo], list[TaskInfo]]:
        environment = await self._workplace.environment()
        return split_tasks(await select_tasks(environment, self.recipe.tasks), self.recipe.split)

    async def _trajectories(self, arm: Arm) -> list[Trajectory]:
        """What an arm is trained on, in a stable order. Raises ``data_not_found`` when a source is empty."""
        u1, u2 = await self._halves()
        ids = {"golden_u1": {task.id for task in u1}, "golden_u2": {task.id for task in u2}, "reflected_u2": {t.id for t in u2}}
        chosen: list[Trajectory] = []
        for source in arm.data:
            held = await self._kept(source)
            of_half = [trajectory for trajectory in held if trajectory.task.id in ids[source]]
            if source != "reflected_u2":
                mixing = SplitConfig(fraction=arm.golden_share, salt=_MIXING_SALT)
                of_half = [trajectory for trajectory in of_half if half(trajectory.task.id, mixing) == "U1"]
            if not of_half:
                raise RestepError("data_not_found", f"no {source} trajectory was kept; collect some first")
            chosen += of_half
        return chosen

    async def _kept(self, source: Source) -> list[Trajectory]:
        run = REFLECTED if source == "reflected_u2" else GOLDEN
        return await asyncio.to_thread(lambda: list(self.store.trajectories(run, kept=True)))

    def _arm(self, name: str) -> Arm:
        if name not in self.recipe.arms:
            raise RestepError("invalid_recipe", f"no arm {name!r}; there are: {', '.join(self.recipe.arms)}")
        return self.recipe.arms[name]

    def _checkpoint(self, name: str) -> str:
        """Where an arm's model lies, or the base. Raises ``checkpoint_not_found`` for an arm that is not trained."""
        if name == BASE:
            return locate(self.recipe.base)
        self._arm(name)
        folder = self.folder.arm(name).resolve()
        if load_card(folder) is None:
            raise RestepError("checkpoint_not_found", f"arm {name!r} is not trained yet: {folder} holds no finished training")
        return str(folder)

    # --- conclusion ----------------------------------------------------------------------------------------

    async def _conclude(self, evaluations: dict[str, Evaluation]) -> Results:
        trained = {name: await self.train(name) for name in self.recipe.arms}
        results = await self._results(evaluations, trained)
        save_results(results, self.folder.path)
        page = write_report(results, self.folder.path, episodes_worth_showing(self.store))
        self.console.print(arms_table(results))
        self.console.print(f"report: {page}")
        return results

    async def _results(self, evaluations: dict[str, Evaluation], trained: dict[str, FinetuneResult]) -> Results:
        recipe = self.recipe
        u1, u2 = await self._halves()
        environment = await (await self._workplace.environment()).info()
        held_out = [result.task_id for result in next(iter(evaluations.values())).results]
        against = differences(evaluations, recipe.reference, recipe.evaluation.bootstrap)
        return Results(
            name=recipe.name,
            description=recipe.description,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=recipe.seed,
            reference=recipe.reference,
            versions=versions(environment),
            base=recipe.base,
            tasks={"U1": [t.id for t in u1], "U2": [t.id for t in u2], "evaluation": sorted(set(held_out))},
            collections={run: self._summary(run) for run in (GOLDEN, REFLECTED) if self.store.counts(run).finished},
            arms={
                name: ArmResult(
                    description=recipe.arms[name].description if name in recipe.arms else "the student before training",
                    data=list(recipe.arms[name].data) if name in recipe.arms else [],
                    training=training_summary(trained[name]) if name in trained else None,
                    evaluation=one,
                    differences=against[name],
                )
                for name, one in evaluations.items()
            },
            seconds=self.folder.seconds(),
            recipe=recipe.model_dump(mode="json"),
        )

    def _summary(self, run: str) -> CollectionSummary:
        everything = list(self.store.trajectories(run))
        kept = list(self.store.trajectories(run, kept=True))
        return summarise_collection(everything, kept, self.store.counts(run).failed)


def training_summary(result: FinetuneResult) -> TrainingSummary:
    """What the table and the report say of an arm's training."""
    return TrainingSummary(
        trajectories=result.trajectories,
        tokens=result.tokens,
        trained_tokens=result.trained_tokens,
        masked_tokens=result.masked_tokens,
        epochs=result.epochs,
        seconds=result.seconds,
        data_hash=result.data_hash,
        curve=result.curve,
    )
