"""Tokens a second of masked fine-tuning, against the obvious ways to do it, on the same rows in the same run.

    python -m benchmarks.finetune                          # a small model, on whatever this machine has
    python -m benchmarks.finetune --model llama-2-7b --bf16 --processes 1 --activation-checkpointing --pack 8192 16384

Trajectories have lengths as those of the benchmarks (log-normal, up to 4,096 tokens) and random content; two fifths of
their tokens are trained. Every loop is a process of its own and trains the same random model on them, whole rows of which
are one micro-batch:

- ``full`` and ``lora``: this project's packed rows, attention inside documents, and loss of trained positions;
- ``padded``: transformers' Trainer with a batch of trajectories padded to its longest, and labels -100 as the mask;
- ``trl``: TRL's SFTTrainer with packing (bfd) on the same ids and labels, where it is installed.

Tokens are those of trajectories, never of padding, from the end of the warm-up to the end of the run, optimiser included; a
CPU-second is one of a single core, which other work on the machine changes little.
MFU is by the formula of trainer/flops.py, for the same work in every loop. The table, in Markdown, goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from trainer.attention import use_document_attention
from trainer.checkpoint import open_base
from trainer.finetune_config import LoraOptions
from trainer.flops import ModelCost, peak_flops
from trainer.lora import attach
from trainer.masked_trainer import MaskedTrainer
from trainer.memory import GIB, peak_memory
from trainer.pack import pack
from trainer.ranks import leave_together
from trainer.render import KINDS, Rendered
from trainer.sharding import is_plain, sharding_arguments
from trainer.shipped import NAME, locate

LOOPS: Final = ("full", "lora", "padded", "trl")
SIZES: Final[dict[str, dict[str, int]]] = {
    "tiny": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 512},
    "small": {
        "hidden_size": 256,
        "intermediate_size": 688,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "vocab_size": 8192,
    },
    "llama-2-7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "vocab_size": 32000,
    },
}
"""Architectures; the last is that of Llama-2-7B, with random weights."""
TURN: Final = 50
"""Tokens of a turn: an observation of three fifths of them, then an answer."""


@dataclass(frozen=True)
class Plan:
    """What is measured. ``pack`` tokens are a row; ``rows`` rows an optimiser step, ``steps`` of them after ``warm_up``."""

    model: str
    pack: int
    longest: int
    rows: int
    steps: int
    warm_up: int
    bf16: bool
    activation_checkpointing: bool
    processes: int
    cpu: bool
    seed: int


@dataclass(frozen=True)
class Figures:
    """What one loop did. ``mfu`` is None where no peak is known; a CPU-second is one of a single core."""

    tokens_per_second: float
    tokens_per_cpu_second: float
    mfu: float | None
    memory_gib: float
    fill: float
    loss: float


def trajectories(plan: Plan) -> list[Rendered]:
    """Enough documents for the warm-up and all steps, their lengths those of played episodes in proportion."""
    rng = np.random.default_rng(plan.seed)
    vocabulary = SIZES[plan.model]["vocab_size"]
    wanted = plan.pack * plan.rows * (plan.steps + plan.warm_up) * max(plan.processes, 1)
    documents: list[Rendered] = []
    while sum(map(len, documents)) < wanted:
        drawn = float(rng.lognormal(float(np.log(plan.longest / 2.7)), 0.5))
        length = int(min(max(drawn, TURN), plan.longest))
        answered = np.arange(length) % TURN >= TURN * 3 // 5
        fields: dict[str, Any] = {
            "trajectory": "",
            "task": "random",
            "input_ids": rng.integers(3, vocabulary, length, dtype=np.int32),
            "weights": answered.astype(np.float32),
            "steps": np.full(length, -1, np.int32),
            "actions": np.zeros(length, np.bool_),
            "kinds": np.where(answered, KINDS.index("golden"), KINDS.index("observation")).astype(np.uint8),
        }
        documents.append(Rendered(**fields))
    return documents


class Clock:
    """Counts the tokens of trajectories in every micro-batch and the time from the end of the warm-up on."""

    def __init__(self, trainer: Trainer, plan: Plan) -> None:
        self._trainer, self._skip = trainer, plan.warm_up * plan.rows
        self._plain = cast("Callable[..., Any]", trainer.training_step)
        self._calls = self._tokens = self._room = 0
        self._began = (0.0, 0.0)
        trainer.training_step = self._step

    def _step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        if self._calls == self._skip:
            self._began = self._now()
        if self._calls >= self._skip:
            mask = inputs.get("attention_mask")
            self._tokens += int(inputs["input_ids"].numel() if mask is None else mask.sum())
            self._room += inputs["input_ids"].numel()
        self._calls += 1
        return cast("torch.Tensor", self._plain(model, inputs, num_items_in_batch))

    def run(self) -> tuple[float, float, float]:
        """Train; tokens of trajectories a second and a CPU-second of this process, and the share of positions with one."""
        self._trainer.train()
        seconds = [now - began for now, began in zip(self._now(), self._began, strict=True)]
        return self._tokens / seconds[0], self._tokens / max(seconds[1], 1e-9), self._tokens / max(self._room, 1)

    def _now(self) -> tuple[float, float]:
        if self._trainer.args.device.type == "cuda":
            torch.cuda.synchronize()
        return time.monotonic(), time.process_time()


def model_of(plan: Plan, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    """The random model, made where it will live: a processor takes minutes for the weights of a large one."""
    config = LlamaConfig(**SIZES[plan.model], max_position_embeddings=4096, pad_token_id=0)  # pyright: ignore[reportArgumentType]  # keywords of several types
    place = "cpu" if plan.cpu or not torch.cuda.is_available() else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    torch.manual_seed(plan.seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(place):
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)


def arguments(plan: Plan, folder: str, batch: int, steps: int, plain: bool = True) -> dict[str, Any]:
    """What is the same in every loop."""
    return {
        "output_dir": folder,
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": plan.rows,
        "max_steps": steps,
        "learning_rate": 1e-5,
        "logging_steps": 1,
        "save_strategy": "no",
        "bf16": plan.bf16,
        "use_cpu": plan.cpu,
        "seed": plan.seed,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": torch.cuda.is_available() and not plan.cpu,
        "report_to": [],
        **sharding_arguments(plan.processes > 0, plan.activation_checkpointing, plain),
    }


def packed(plan: Plan, documents: Sequence[Rendered], folder: str, lora: LoraOptions | None) -> tuple[Trainer, float]:
    """This project's loop, and the operations of a token in it."""
    packs, _ = pack(documents, plan.pack, plan.longest, plan.seed)
    plain = model_of(plan, torch.bfloat16 if lora and plan.bf16 else torch.float32)
    use_document_attention(plain)
    model: Any = attach(plain, lora) if lora else plain
    whole = TrainingArguments(**arguments(plan, folder, 1, plan.steps + plan.warm_up, is_plain(model)))
    return MaskedTrainer(model, whole, packs, lambda line: None), operations(model, documents)


def padded(plan: Plan, documents: Sequence[Rendered], folder: str) -> tuple[Trainer, float]:
    """transformers' Trainer, as many trajectories a batch as a row holds on average."""
    batch = max(1, round(plan.pack * len(documents) / sum(map(len, documents))))
    whole = TrainingArguments(**arguments(plan, folder, batch, plan.steps + plan.warm_up))
    model = model_of(plan)
    rows = cast("Any", [labelled(document) for document in documents])
    return Trainer(model=model, args=whole, train_dataset=rows, data_collator=pad), operations(model, documents)


def trl(plan: Plan, documents: Sequence[Rendered], folder: str) -> tuple[Trainer, float]:
    """TRL's SFTTrainer with its own packing, of the same ids and labels."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    given = arguments(plan, folder, 1, plan.steps + plan.warm_up)
    given |= {"remove_unused_columns": True, "max_length": plan.pack, "packing": True, "packing_strategy": "bfd"}
    settings = SFTConfig(**given)
    model: Any = model_of(plan)
    rows = Dataset.from_list([{name: list(value) for name, value in labelled(one).items()} for one in documents])
    tokenizer = open_base(locate(NAME)).tokenizer  # for its padding only
    return SFTTrainer(model=model, args=settings, train_dataset=rows, processing_class=tokenizer), operations(model, documents)


def labelled(document: Rendered) -> dict[str, list[int]]:
    """Ids, and labels that are -100 where nothing is trained."""
    ids = document.input_ids.tolist()
    return {"input_ids": ids, "labels": np.where(document.weights > 0, document.input_ids, -100).tolist()}


def pad(rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Rows of unequal length as one batch."""
    longest = max(len(row["input_ids"]) for row in rows)

    def filled(name: str, value: int) -> torch.Tensor:
        return torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])

    mask = [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
    return {"input_ids": filled("input_ids", 0), "labels": filled("labels", -100), "attention_mask": torch.tensor(mask)}


def operations(model: Any, documents: Sequence[Rendered]) -> float:
    """Floating-point operations of a token of these trajectories, on average: what a loop must do at least."""
    tokens = sum(map(len, documents))
    predicted = sum(int((document.weights[1:] > 0).sum()) for document in documents)
    squares = float(sum(len(document) ** 2 for document in documents))
    return ModelCost.of(model).flops(tokens, predicted, squares) / tokens


def measure(plan: Plan, loop: str) -> Figures:
    """Run one loop in this process."""
    documents = trajectories(plan)
    with tempfile.TemporaryDirectory() as folder:
        if loop in ("full", "lora"):
            trainer, cost = packed(plan, documents, folder, LoraOptions() if loop == "lora" else None)
        else:
            trainer, cost = (padded if loop == "padded" else trl)(plan, documents, folder)
        rate, cpu_rate, fill = Clock(trainer, plan).run()
        device = trainer.args.device
        losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    peak = peak_flops(device)
    return Figures(
        tokens_per_second=rate * max(plan.processes, 1),
        tokens_per_cpu_second=cpu_rate,
        mfu=rate * cost / peak if peak else None,
        memory_gib=peak_memory(device) / GIB,
        fill=fill,
        loss=losses[0],
    )


def run(plan: Plan, loop: str) -> Figures | str:
    """One loop in a process of its own, or in several; why not, where it fails."""
    if loop == "trl" and find_spec("trl") is None:
        return "not installed"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(plan.processes)]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "figures.json"
        command = [sys.executable, *(launcher if plan.processes else []), "-m", "benchmarks.finetune"]
        done = subprocess.run(
            [*command, "--one", loop, json.dumps(vars(plan)), str(result)], capture_output=True, text=True, check=False
        )
        if not result.is_file():
            lines = [line for line in done.stderr.splitlines() if "Error" in line] or done.stderr.splitlines() or ["failed"]
            return lines[-1].strip()[:120]
        return Figures(**json.loads(result.read_text()))


def line(plan: Plan, loop: str, found: Figures | str) -> str:
    """A row of the table."""
    begin = f"| {loop} | {plan.model} | {plan.pack:,}"
    if isinstance(found, str):
        return f"{begin} | {found} | | | | | |"
    mfu = f"{100 * found.mfu:.1f} %" if found.mfu is not None else "-"
    rates = f"{found.tokens_per_second:,.0f} | {found.tokens_per_cpu_second:,.0f} | {mfu}"
    return f"{begin} | {rates} | {found.memory_gib:.1f} | {100 * found.fill:.0f} % | {found.loss:.3f} |"


def one(loop: str, plan: Plan, result: Path) -> None:
    """The part of a child."""
    figures = measure(plan, loop)
    if os.environ.get("RANK", "0") == "0":
        result.write_text(json.dumps(vars(figures)))
    leave_together()


def main(words: Sequence[str] | None = None) -> None:
    """Measure every loop and print."""
    given = list(sys.argv[1:] if words is None else words)
    if given[:1] == ["--one"]:
        one(given[1], Plan(**json.loads(given[2])), Path(given[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(SIZES), default="small")
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--pack", nargs="+", type=int, default=[1024], help="tokens of a row")
    parser.add_argument("--longest", type=int, help="longest trajectory [half of the smallest row, up to 4096]")
    parser.add_argument("--rows", type=int, default=2, help="rows of an optimiser step")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--warm-up", type=int, default=2, help="steps that do not count")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--activation-checkpointing", action="store_true")
    parser.add_argument("--processes", type=int, default=0, help="shard over so many, by torchrun [none: one, unsharded]")
    parser.add_argument("--cpu", action="store_true", help="even where there is a GPU")
    parser.add_argument("--seed", type=int, default=0)
    chosen = vars(parser.parse_args(given))
    packs, loops = chosen.pop("pack"), chosen.pop("loops")
    chosen["longest"] = chosen["longest"] or min(4096, min(packs) // 2)
    chosen["cpu"] = chosen["cpu"] or not torch.cuda.is_available()
    heads = ("loop", "model", "row", "tokens/s", "tokens/CPU-s", "MFU", "peak GiB", "positions filled", "first loss")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for size in packs:
        for loop in loops:
            plan = Plan(**chosen, pack=size)
            print(line(plan, loop, run(plan, loop)), flush=True)


if __name__ == "__main__":
    main()
