"""The three stages of STeP (arXiv 2505.20023) as one resumable experiment: collect, train the arms, evaluate, report.

Every stage looks at what the run's folder and store already hold and does the rest, so the same command goes on where
it stopped. Nothing here knows an environment or an ablation by name: both are in the recipe. Collections and
evaluations are of one environment each; an arm is trained on what its sources hold of all of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from rich.console import Console

from shared.errors import RestepError
from shared.protocol import EnvironmentInfo, TaskInfo
from trainer.collection import Collected
from trainer.distributed import Executor, Here
from trainer.evaluate import EvaluateConfig, Evaluation, summarise
from trainer.finetune import FinetuneResult, finetune_in_thread, load_card
from trainer.folder import RunFolder, collection_name
from trainer.golden import GoldenConfig
from trainer.order import Order, StudentOrder, TeacherOrder, store_address
from trainer.peers.conversation import entries
from trainer.peers.intake import Intake, Target, import_entries
from trainer.peers.task_finder import TaskFinder, read_ids
from trainer.preflight import check_training
from trainer.progress import Report, bar
from trainer.recipe import Arm, Recipe
from trainer.reflect import ReflectConfig
from trainer.report import episodes_worth_showing, write_report
from trainer.results import (
    ArmResult,
    CollectionSummary,
    EnvironmentResult,
    Results,
    TeacherSummary,
    TrainingSummary,
    averages,
    differences,
    save_results,
    summarise_collection,
)
from trainer.shipped import NAME as BASE
from trainer.shipped import locate
from trainer.table import arms_table, spent_line
from trainer.tasks import select_tasks
from trainer.teacher.base import Teacher
from trainer.teacher.old_books import take_over
from trainer.teacher.teachers import Teachers
from trainer.training_data import STAGES, Sources, TrainingData
from trainer.training_progress import training_bar
from trainer.versions import environment_versions, versions
from trainer.workplace import Workplace


class Experiment:
    """One recipe in its folder. Use as an async context manager: servers it starts end with the block."""

    def __init__(self, recipe: Recipe, runs: Path, console: Console, executor: Executor | None = None) -> None:
        """``executor`` is where episodes are played; this process where none is given."""
        self.recipe, self.console = recipe, console
        self._executor: Executor = executor or Here()
        self.folder = RunFolder.claim(recipe, runs)
        self.store = self.folder.store()
        take_over(self.folder.path, self.store)
        self._workplace = Workplace(recipe, self.folder.logs, self._executor.machines)
        self._teachers = Teachers(recipe.teacher, recipe.reflected.judge, self.store)
        self._data = TrainingData(recipe, self.folder, self.store, self._workplace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._workplace.close()
        await self._teachers.close()
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
        """D1 and D2: the expert of every environment, or the recipe's model, plays all its training tasks."""
        await asyncio.to_thread(check_training, self.recipe)
        for name in await self._workplace.environments():
            run, tasks = collection_name("golden", name), await self._data.tasks(name)
            student = await self._golden_student()
            with self.folder.timed(f"golden, {name}"), bar(f"golden trajectories, {name}", self.console) as report:
                collected = await self._collect(name, run, tasks, self.recipe.golden, report, student)
            self._warn_of_failures(collected)

    async def _golden_student(self) -> StudentOrder | None:
        """The agent service that plays golden episodes, if it is one that does."""
        config = self.recipe.golden
        return await self._workplace.student(locate(config.checkpoint), config.sampling) if config.player == "agent" else None

    async def _collect(
        self,
        name: str,
        run: str,
        tasks: Sequence[TaskInfo],
        config: GoldenConfig | ReflectConfig | EvaluateConfig,
        report: Report,
        student: StudentOrder | None,
    ) -> Collected:
        """Have the executor play ``tasks`` of an environment into ``run``."""
        order = Order(
            run=run,
            tasks=tuple(tasks),
            episode=self.recipe.environments[name].episode,
            layout=self.recipe.reflected.layout,
            config=config,
            store=store_address(self.store.url),
            namespace=self.store.namespace,
            environment=(await self._workplace.environment(name)).urls,
            student=student,
            teacher=self._teacher_order(name) if isinstance(config, ReflectConfig) else None,
        )
        return await self._executor.collect(order, report)

    def _teacher_order(self, name: str) -> TeacherOrder:
        return TeacherOrder(self.recipe.teacher, collection_name("golden", name), self._teachers.prompts(name))

    async def import_published(
        self, files: Sequence[Path], place: str | None = None, ids: Path | None = None, *, unverified: bool = False
    ) -> Intake:
        """Others' trajectories of one environment; ``place`` may be None where the recipe has only one.

        With ``unverified``, what cannot be replayed is kept as it was published, in a collection of its own.
        Refusals are listed in ``refused/<environment>.jsonl``. Raises ``data_not_found``, ``data_corrupt`` for a file
        that cannot be read, before anything is played, and ``invalid_recipe`` for an environment that is not there.
        """
        name = self._place(place)
        found = [entry for file in files for entry in entries(file)]
        known = read_ids(ids) if ids is not None else {}
        await asyncio.to_thread(check_training, self.recipe)
        environment, options = await self._workplace.environment(name), self.recipe.environments[name]
        await self._data.tasks(name)
        target = Target(
            verified=collection_name("imported", name),
            unverified=collection_name("unverified", name) if unverified else None,
            episode=options.episode,
            held_out=options.evaluation_tasks.split,
        )
        finder = await TaskFinder.open(environment, known)
        with self.folder.timed(f"imported, {name}"), bar(f"published trajectories, {name}", self.console) as report:
            intake = await import_entries(found, environment, finder, self.store, target, self.recipe.imported, report)
        self.folder.write_refusals(name, [refusal.row() for refusal in intake.refused])
        return intake

    def _place(self, name: str | None) -> str:
        """An environment of the recipe. Raises ``invalid_recipe``."""
        places = self.recipe.environments
        if name is None and len(places) == 1:
            return next(iter(places))
        if name is None or name not in places:
            raise RestepError("invalid_recipe", f"--environment: one of {', '.join(places)}, not {name!r}")
        return name

    async def reflected(self) -> None:
        """The student plays U2 of every environment under the teacher's eyes."""
        checkpoint = self._checkpoint(self.recipe.student)
        environments = await self._workplace.environments()
        student = await self._workplace.student(checkpoint, self.recipe.sampling)
        for name, environment in environments.items():
            run = collection_name("reflected", name)
            teacher = await self._teacher(name, await environment.info())
            _, u2 = await self._data.halves(name)
            with self.folder.timed(f"reflected, {name}"), bar(f"reflected trajectories, {name}", self.console) as report:
                collected = await self._collect(name, run, u2, self.recipe.reflected, report, student)
            self._warn_of_failures(collected)
            if spent := self._teachers.spending(run):
                self.console.print(f"{teacher.name}, {name}: {spent_line(spent)}", soft_wrap=True)

    async def train(self, name: str) -> FinetuneResult:
        """Fine-tune the base on an arm's data. Resumes; an arm that is trained already is only read."""
        arm = self._arm(name)
        for other in self.recipe.needs(name).values():
            if load_card(self.folder.arm(other)) is None:
                await self.train(other)
        sources = await self._data.sources(arm)
        trajectories = [one for held in sources.values() for of_place in held.values() for one in of_place]
        example = load_card(self.folder.arm(arm.matched)) if arm.matched else None
        tokens = example.trained_tokens_seen if example else None
        config = self.recipe.finetune_config(arm, self._checkpoint(arm.start), self.folder.arm(name), tokens)
        async with self.folder.turn(f"train {name}"):
            if load_card(self.folder.arm(name)) is not None:
                return await finetune_in_thread(config, trajectories)  # checks that it was trained so
            self._warn_of_gaps(name, sources)
            with self.folder.timed(f"train {name}"), training_bar(f"training {name}", self.console) as report:
                return await finetune_in_thread(config, trajectories, report)

    async def evaluate(self, name: str) -> dict[str, Evaluation]:
        """Play the held-out tasks of every environment with an arm's model, or with the untrained base."""
        config, checkpoint = self.recipe.evaluation, self._checkpoint(name)
        environments = await self._workplace.environments()
        student = await self._workplace.student(checkpoint, config.sampling)
        found: dict[str, Evaluation] = {}
        for place, environment in environments.items():
            options, run = self.recipe.environments[place], collection_name("evaluation", place, name)
            tasks = await select_tasks(environment, options.evaluation_tasks)
            with self.folder.timed(f"evaluate {name}, {place}"), bar(f"evaluating {name}, {place}", self.console) as report:
                await self._collect(place, run, tasks, config, report, student)
                found[place] = await asyncio.to_thread(summarise, run, tasks, self.store, config)
        return found

    def _warn_of_failures(self, collected: Collected) -> None:
        """Say what was given up, and why: a collection with holes must not look like a whole one."""
        if not collected.failed:
            return
        causes = Counter(failure.code for failure in self.store.failures(collected.run) if not failure.resolved)
        named = ", ".join(f"{cause} {count}" for cause, count in causes.most_common())
        self._warn(f"{collected.run}: {collected.failed} of {collected.total} episodes were given up ({named})")

    def _warn_of_gaps(self, name: str, sources: Sources) -> None:
        """Say where an arm learns nothing from: a model of two environments must not pass for one of three."""
        for source, held in sources.items():
            if empty := [place for place, trajectories in held.items() if not trajectories]:
                self._warn(f"{name}: no {source} trajectory of {', '.join(empty)} was kept; it trains without")

    def _warn(self, text: str) -> None:
        self.console.print(f"[yellow]{text}", soft_wrap=True)

    # --- arms ----------------------------------------------------------------------------------------------

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

    async def _conclude(self, evaluations: dict[str, dict[str, Evaluation]]) -> Results:
        trained = {name: await self.train(name) for name in self.recipe.arms}
        results = await self._results(evaluations, trained)
        save_results(results, self.folder.path)
        page = write_report(results, self.folder.path, episodes_worth_showing(self.store, list(results.environments)))
        self.console.print(arms_table(results))
        self.console.print(f"report: {page}")
        return results

    async def _results(self, evaluations: dict[str, dict[str, Evaluation]], trained: dict[str, FinetuneResult]) -> Results:
        recipe, bootstrap = self.recipe, self.recipe.evaluation.bootstrap
        first = next(iter(evaluations.values()))
        against = differences(evaluations, recipe.reference, bootstrap)
        averaged = averages(evaluations, recipe.reference, bootstrap)
        arms: dict[str, ArmResult] = {}
        for name, found in evaluations.items():
            arm = recipe.arms.get(name)
            arms[name] = ArmResult(
                description=arm.description if arm else "the student before training",
                data=await self._data.counts(arm) if arm else {},
                options=arm.departures() if arm else {},
                training=TrainingSummary.model_validate(trained[name], from_attributes=True) if name in trained else None,
                evaluations=found,
                differences=against[name],
                average=averaged[name],
            )
        return Results(
            name=recipe.name,
            description=recipe.description,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=recipe.seed,
            reference=recipe.reference,
            versions=versions(),
            base=recipe.base,
            environments={name: await self._environment_result(name, first[name]) for name in recipe.environments},
            arms=arms,
            seconds=self.folder.seconds(),
            recipe=recipe.model_dump(mode="json"),
        )

    async def _environment_result(self, name: str, evaluation: Evaluation) -> EnvironmentResult:
        info = await (await self._workplace.environment(name)).info()
        u1, u2 = await self._data.halves(name)
        held_out = sorted({result.task_id for result in evaluation.results})
        runs = [collection_name(stage, name) for stage in dict.fromkeys(STAGES.values())]
        return EnvironmentResult(
            protocol=evaluation.protocol,
            versions=environment_versions(info),
            tasks={"U1": [t.id for t in u1], "U2": [t.id for t in u2], "evaluation": held_out},
            collections={run: self._summary(run) for run in runs if self.store.counts(run).finished},
            teacher=await self._teacher_summary(name, info),
        )

    async def _teacher(self, name: str, info: EnvironmentInfo) -> Teacher:
        return await self._teachers.of(info, collection_name("reflected", name), collection_name("golden", name))

    async def _teacher_summary(self, name: str, info: EnvironmentInfo) -> TeacherSummary | None:
        run = collection_name("reflected", name)
        if not self.store.counts(run).finished:
            return None
        return TeacherSummary(name=(await self._teacher(name, info)).name, spending=self._teachers.spending(run))

    def _summary(self, run: str) -> CollectionSummary:
        everything = list(self.store.trajectories(run))
        kept = list(self.store.trajectories(run, kept=True))
        return summarise_collection(everything, kept, self.store.counts(run).failed)
