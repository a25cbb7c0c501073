"""The ``restep`` command: flags in, one call, words out. Everything it does can be done from Python without it.

A user's mistake is one line on standard error and exit code 1 (2 for a wrong flag); an interrupt says what is kept.
Heavy imports stay inside the commands: an environment server needs none of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from typer.core import TyperGroup

from shared.errors import RestepError
from trainer.data_cli import data_app
from trainer.serve_cli import serve

if TYPE_CHECKING:
    from trainer.distributed import Executor
    from trainer.experiment import Experiment
    from trainer.peers.intake import Intake

PAGE: Final = "page"


class PageByDefault(TyperGroup):
    """``restep report RUN`` is ``restep report page RUN``: a group whose first word may also be a run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before what is none."""
        named = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().parse_args(ctx, args if named or not args else [PAGE, *args])


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train language-model agents on self-reflected trajectories with partial masking (STeP).",
)
collect_app = typer.Typer(no_args_is_help=True, help="Collect trajectories; the same command goes on where it stopped.")
report_app = typer.Typer(cls=PageByDefault, no_args_is_help=True, help="What a run found: report RUN, or report judge RUN.")
app.add_typer(collect_app, name="collect")
app.add_typer(report_app, name="report")
app.add_typer(data_app, name="data")

Recipe = Annotated[str, typer.Argument(help="a recipe file, or the name of one that comes with restep")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="key.sub=value, laid over the recipe; may be repeated")]
Runs = Annotated[Path, typer.Option(help="folder of runs")]
Store = Annotated[
    str | None,
    typer.Option(envvar="RESTEP_STORE", help="where trajectories are kept, a path or URL to share [as before, or in the run]"),
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", help="play on a Ray cluster: its address, or `auto` for this machine's, which is started if need be"),
]
RayActors = Annotated[int | None, typer.Option(min=1, help="workers on Ray, each with many episodes [one a processor]")]
RunPath = Annotated[Path, typer.Argument(help="a run's folder, e.g. runs/demo")]
Collection = Annotated[str, typer.Argument(help="golden/sciworld, reflected/sciworld, evaluation/step/sciworld or the like")]


app.command()(serve)


@app.command()
def demo(runs: Runs = Path("runs"), settings: Settings = None, store: Store = None) -> None:
    """The whole method in three environments, in minutes, on this machine."""
    experiment("demo", runs, settings, store)


@app.command()
def experiment(
    recipe: Recipe,
    runs: Runs = Path("runs"),
    settings: Settings = None,
    store: Store = None,
    ray: Ray = None,
    ray_actors: RayActors = None,
) -> None:
    """Collect, train the arms, evaluate, and write the table. Goes on where it stopped."""
    _with_experiment(recipe, runs, _laid(settings, store), lambda experiment: experiment.run(), ray, ray_actors)


@collect_app.command("golden")
def collect_golden(
    recipe: Recipe,
    runs: Runs = Path("runs"),
    settings: Settings = None,
    store: Store = None,
    ray: Ray = None,
    ray_actors: RayActors = None,
) -> None:
    """Golden trajectories of a recipe's training tasks, by the expert of each environment."""
    _with_experiment(recipe, runs, _laid(settings, store), lambda experiment: experiment.golden(), ray, ray_actors)


@collect_app.command("reflected")
def collect_reflected(
    recipe: Recipe,
    runs: Runs = Path("runs"),
    settings: Settings = None,
    store: Store = None,
    ray: Ray = None,
    ray_actors: RayActors = None,
) -> None:
    """Self-reflected trajectories on U2 of each environment: the student acts, the teacher judges and repairs."""
    _with_experiment(recipe, runs, _laid(settings, store), lambda experiment: experiment.reflected(), ray, ray_actors)


@app.command("import")
def import_published(
    recipe: Recipe,
    files: Annotated[list[Path], typer.Argument(help="AgentTraj (AgentGym) or ETO conversations: JSON or JSON lines")],
    environment: Annotated[str | None, typer.Option(help="which of the recipe's environments; its only one")] = None,
    ids: Annotated[Path | None, typer.Option(help="JSON: entry ids to task ids, or AgentGym's mappings_train.json")] = None,
    unverified: Annotated[bool, typer.Option("--unverified", help="keep what cannot be replayed, apart and marked")] = False,
    runs: Runs = Path("runs"),
    settings: Settings = None,
    store: Store = None,
) -> None:
    """Published trajectories into a recipe's run; each is replayed, and must give what was published."""

    async def run(experiment: Experiment) -> None:
        _tell(await experiment.import_published(files, environment, ids, unverified=unverified))

    _with_experiment(recipe, runs, _laid(settings, store), run)


def _tell(intake: Intake) -> None:
    for refusal in intake.refused[:20]:
        _errors().print(f"restep: {refusal.entry}: {refusal.error.detail} [{refusal.error.code}]")
    if not intake.imported:
        raise RestepError("data_not_found", f"none of {len(intake.refused)} entries was imported ({intake.causes()})")
    line = f"{intake.imported} trajectories imported ({intake.already_there} already there), {intake.kept} for training"
    line += f"; {intake.unverified} unverified" if intake.unverified else "; all replayed"
    line += f"; {len(intake.refused)} refused ({intake.causes()})" if intake.refused else ""
    Console().print(line, soft_wrap=True)


@app.command()
def finetune(
    recipe: Recipe,
    arm: Annotated[str, typer.Argument(help="which arm of the recipe")],
    runs: Runs = Path("runs"),
    settings: Settings = None,
    store: Store = None,
) -> None:
    """Train one arm of a recipe on what was collected."""
    _with_experiment(recipe, runs, _laid(settings, store), lambda experiment: experiment.train(arm))
    from trainer.ranks import leave_together

    leave_together()


@app.command()
def evaluate(
    recipe: Recipe,
    arm: Annotated[str, typer.Argument(help="which arm of the recipe, or `base`")],
    runs: Runs = Path("runs"),
    settings: Settings = None,
    store: Store = None,
    ray: Ray = None,
    ray_actors: RayActors = None,
) -> None:
    """Play a recipe's held-out tasks, of each environment, with one of its models."""
    laid = _laid(settings, store)
    _with_experiment(recipe, runs, laid, lambda experiment: experiment.evaluate(arm), ray, ray_actors, trains=False)


@report_app.command(PAGE, hidden=True)
def report(run: RunPath, store: Store = None) -> None:
    """Write report.html from results.json again, and print the table."""
    from trainer.folder import RunFolder
    from trainer.report import episodes_worth_showing, write_report
    from trainer.results import load_results
    from trainer.table import arms_table

    results = load_results(run)
    console = Console()
    console.print(arms_table(results))
    episodes = episodes_worth_showing(RunFolder(run, store).store(), list(results.environments))
    console.print(f"report: {write_report(results, run, episodes)}")


@report_app.command("judge")
def report_judge(
    run: RunPath,
    limit: Annotated[int | None, typer.Option(min=1, help="at most so many episodes of each environment")] = None,
    settings: Settings = None,
    store: Store = None,
) -> None:
    """Compare the teacher's verdicts and corrections with the expert's on the same steps; goes on where it stopped."""
    with _interruptible():
        from trainer.folder import RunFolder
        from trainer.judge.examination import examine
        from trainer.judge.page import judge_tables, save_judge_report

        console = Console()
        found = asyncio.run(examine(RunFolder(run, store), settings or [], console, limit))
        page = save_judge_report(found, run)
        console.print(*judge_tables(found))
        console.print(f"report: {page}", soft_wrap=True)


@app.command()
def export(
    run: RunPath,
    collection: Collection,
    path: Annotated[Path, typer.Argument(help="the file to write")],
    form: Annotated[
        str | None,
        typer.Option("--format", help="jsonl, trl, axolotl, ms-swift, llama-factory or parquet; else by the path's end"),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="trl: folder or name of the model whose tokens it has; else the base that comes along")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="also what is not for training: failures, evaluations")] = False,
    store: Store = None,
) -> None:
    """Write a collection's trajectories to a file: as JSON lines, as Parquet, or as another library trains on them."""
    from trainer.exports.formats import choose_format, export_collection
    from trainer.folder import RunFolder

    chosen = choose_format(form, path, checkpoint)
    with RunFolder(run, store).store() as opened:
        counts = opened.require(collection)
        if not (counts.kept or everything):
            detail = f"none of the {counts.finished} trajectories of {collection!r} was kept for training; --all writes them"
            raise RestepError("data_not_found", detail)
        kept = None if everything else True
        written = export_collection(opened, collection, path, chosen, kept=kept, checkpoint=checkpoint)
    Console().print(f"{written.written} trajectories in {path}{written.shortfall()}", soft_wrap=True)


@app.command()
def verify(
    run: RunPath,
    collection: Collection,
    url: Annotated[str, typer.Option(help="an environment server")],
    store: Store = None,
) -> None:
    """Replay stored trajectories against a server: every observation and score must come again."""
    from trainer.folder import RunFolder
    from trainer.progress import bar
    from trainer.verify import verify_collection

    console = Console()
    with _interruptible(), bar(f"replaying {collection}", console) as report:
        count = asyncio.run(verify_collection(RunFolder(run, store).store(), collection, url, report))
    console.print(f"{count} trajectories replayed, every observation and score the same")


@app.command()
def pretrain(
    out: Annotated[Path, typer.Argument(help="folder of the checkpoint")],
    settings: Settings = None,
) -> None:
    """Make the base student again from the simulators' own text (hours on a CPU)."""
    with _interruptible():
        from trainer.pretrain import pretrain as run
        from trainer.pretrain import pretrain_config

        run(pretrain_config(out, settings or []))


def _laid(settings: list[str] | None, store: str | None) -> list[str]:
    """What is laid over a recipe, in the form of ``--set``."""
    return [*(settings or []), *([f"store={json.dumps(store)}"] if store else [])]


def _with_experiment(
    recipe: str,
    runs: Path,
    settings: list[str],
    work: Callable[[Experiment], Coroutine[Any, Any, object]],
    ray: str | None = None,
    ray_actors: int | None = None,
    *,
    trains: bool = True,
) -> None:
    with _interruptible():  # which takes its time to import
        from trainer.recipe import load_recipe

        chosen = load_recipe(recipe, settings)  # before PyTorch is imported: a wrong recipe is refused at once
        if trains:
            from trainer.preflight import check_checkpoints

            check_checkpoints(chosen)
        from trainer.distributed import Here, RayCluster
        from trainer.experiment import Experiment

        async def run(executor: Executor) -> None:
            follower = os.environ.get("RANK", "0") != "0"  # of the processes that a launcher started, the first one speaks
            async with Experiment(chosen, runs, Console(quiet=follower), executor) as experiment:
                await work(experiment)

        if ray is None:
            asyncio.run(run(Here()))
        else:
            with RayCluster(ray, ray_actors) as cluster:
                asyncio.run(run(cluster))


@contextmanager
def _interruptible() -> Generator[None]:
    """Turn Ctrl-C into one line and exit code 130; typer would end without a word."""
    try:
        yield
    except KeyboardInterrupt:
        _errors().print("restep: interrupted; what was finished is kept, the same command goes on from there")
        raise typer.Exit(130) from None


def _errors() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except RestepError as error:
        _errors().print(f"restep: {error.detail} [{error.code}]")
        sys.exit(1)


if __name__ == "__main__":
    main()
