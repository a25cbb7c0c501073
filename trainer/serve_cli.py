"""``restep serve``: the flags of every server. One that is not of the server that was named is refused, not ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    service: Annotated[str, typer.Argument(help="alfworld, webshop, sciworld, agent or viewer")],
    host: Annotated[str | None, typer.Option(help="address to listen on [127.0.0.1]")] = None,
    port: Annotated[
        int | None,
        typer.Option(help="0 takes a free one [alfworld 8001, webshop 8002, sciworld 8003, agent 8010, viewer 8020]"),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="folder with the benchmarks' data")] = None,
    workers: Annotated[int | None, typer.Option(help="engine workers (JVMs, TextWorld processes)")] = None,
    capacity: Annotated[int | None, typer.Option(help="sessions held at once")] = None,
    expert: Annotated[bool | None, typer.Option("--expert", help="serve the privileged expert route")] = None,
    engine: Annotated[str | None, typer.Option(help="alfworld: direct, or textworld for the benchmark's own [direct]")] = None,
    token_file: Annotated[Path | None, typer.Option(help="file with the bearer token clients must send")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="agent: checkpoint folder or name [the base that comes along]")] = None,
    backend: Annotated[str | None, typer.Option(help="agent: transformers, or vllm for production [transformers]")] = None,
    vllm_python: Annotated[Path | None, typer.Option(help="agent: interpreter that has vLLM [this one]")] = None,
    vllm_args: Annotated[str | None, typer.Option(help="agent: more arguments of vLLM's own server, in quotes")] = None,
    vllm_url: Annotated[str | None, typer.Option(help="agent: a vLLM that runs already and serves the checkpoint")] = None,
    vllm_key_file: Annotated[Path | None, typer.Option(help="agent: file with that vLLM's API key")] = None,
    lora_rank: Annotated[int | None, typer.Option(help="agent: vllm takes LoRA adapters up to this rank [none]")] = None,
    runs: Annotated[Path | None, typer.Option(help="viewer: folder of runs [runs]")] = None,
    store: Annotated[str | None, typer.Option(help="viewer: database URL of a store that runs share [none]")] = None,
    follow_stdin: Annotated[bool, typer.Option("--follow-stdin", hidden=True)] = False,
) -> None:
    """Serve an environment, the agent or the viewer until SIGTERM."""
    from trainer.serve import serve as run

    flags = {
        "host": host,
        "port": port,
        "data": data,
        "workers": workers,
        "capacity": capacity,
        "expert": expert,
        "engine": engine,
        "token_file": token_file,
        "checkpoint": checkpoint,
        "backend": backend,
        "vllm_python": vllm_python,
        "vllm_args": vllm_args,
        "vllm_url": vllm_url,
        "vllm_key_file": vllm_key_file,
        "lora_rank": lora_rank,
        "runs": runs,
        "store": store,
    }
    raise typer.Exit(run(service, flags, follow_stdin=follow_stdin))
