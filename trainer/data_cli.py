"""``restep data``: check what is there, fetch the official data, generate our own.

Each benchmark generates by its own measure (scenes, products), so each has its own ``generate`` command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shared.errors import RestepError
from trainer.datasets import DATASETS, dataset

data_app = typer.Typer(no_args_is_help=True, help="The benchmarks' data: check, fetch, generate.")
generate_app = typer.Typer(no_args_is_help=True, help="Generate data of our own.")
data_app.add_typer(generate_app, name="generate")

Data = Annotated[Path | None, typer.Option(envvar="RESTEP_DATA", help="folder with the benchmarks' data")]


@data_app.command("check")
def check(
    name: Annotated[str | None, typer.Argument(help="which benchmark [all that the folder has]")] = None,
    data: Data = None,
) -> None:
    """Read everything once: counts, data version, and a line for each thing that is damaged or missing."""
    console = _console()
    problems = 0
    for each in _present(data) if name is None else (name,):
        report = dataset(each).check(data, console.print)
        for line in report.facts:
            console.print(f"{each}: {line}")
        for line in report.problems:
            console.print(f"{each}: problem: {line}")
        problems += len(report.problems)
    if problems:
        raise RestepError("data_corrupt", f"{problems} problem{'s' if problems > 1 else ''} found")
    console.print("no problems")


@data_app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="which benchmark")],
    data: Data = None,
    mirror: Annotated[str | None, typer.Option(help="address with the official files below it")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="webshop: all 1.18 million products, 5.4 GB; else the first 1,000")
    ] = False,
) -> None:
    """Download the official data into its compact form. Interrupted, the same command goes on."""
    if data is None:
        raise RestepError("invalid_request", "say where the data shall lie: --data DIR, or RESTEP_DATA")
    try:
        dataset(name).fetch(data, mirror, _console().print, full=full)
    except KeyboardInterrupt:
        Console(stderr=True, highlight=False).print("restep: interrupted; the same command goes on from there")
        raise typer.Exit(130) from None


@generate_app.command("alfworld")
def generate_alfworld(
    out: Annotated[Path, typer.Option(help="data folder to write to; the games go to alfworld/ in it")],
    scenes: Annotated[int, typer.Option(help="rooms of the training split; the others get a quarter as many each")] = 48,
    seed: Annotated[int, typer.Option(help="the same seed makes the same games")] = 1,
) -> None:
    """Household games in ALFWorld's own language, five a room, each with a plan that wins."""
    from services.alfworld.generate import generate_pack, pack_path

    path = pack_path(out, scenes, seed)
    counts = generate_pack(path, scenes, seed)
    _console().print(f"{path}: {', '.join(f'{split} {count}' for split, count in counts.items())}")


@generate_app.command("webshop")
def generate_webshop(
    out: Annotated[Path, typer.Option(help="data folder to write to; the shop goes to webshop/ in it")],
    products: Annotated[int, typer.Option(help="how many products; each makes about four goals")] = 1000,
    seed: Annotated[int, typer.Option(help="the same seed makes the same shop")] = 1,
) -> None:
    """A shop in the shape of WebShop's official files, where every goal can be met."""
    from services.webshop.generate import generate_rows
    from services.webshop.rows import write_folder

    rows = generate_rows(products, seed)
    write_folder(out / "webshop", rows)
    _console().print(f"{out / 'webshop'}: {len(rows.products)} products, {len(rows.human)} human instructions")


def _present(data: Path | None) -> list[str]:
    """The benchmarks that a folder has data of; all where it has none of any, so that this is told."""
    return [name for name in DATASETS if data is not None and (data / name).is_dir()] or list(DATASETS)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True, markup=False)
