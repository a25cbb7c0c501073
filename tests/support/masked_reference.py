"""The masked objective computed naively, and one real optimiser step to hold against it.

Run as a script by torchrun it takes the step on several ranks: ``masked_reference.py CHECKPOINT OUTPUT``.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, TrainerCallback, TrainingArguments

from tests.support.trajectories import sample
from trainer.attention import use_document_attention
from trainer.checkpoint import open_base
from trainer.finetune_config import Normalisation
from trainer.masked_trainer import MaskedTrainer
from trainer.pack import Pack
from trainer.ranks import leave_together
from trainer.render import Rendered, Renderer
from trainer.weights import normalise

Gradients = dict[str, torch.Tensor]


def load(checkpoint: Path) -> Any:
    """The model of a checkpoint in float32."""
    return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)


def documents(checkpoint: Path, normalisation: Normalisation = "token") -> list[Rendered]:
    """The sample trajectories, their weights made uneven so that no wrong average can hide."""
    renderer = Renderer.from_tokenizer(open_base(str(checkpoint)).tokenizer)
    weights = {"golden": 1.0, "error": 0.0, "reflection": 0.5, "correction": 0.75, "student": 1.0}
    return [
        normalise(renderer.render(one, [weights[step.provenance] for step in one.steps]), normalisation) for one in sample()
    ]


def naive(model: Any, rendered: Iterable[Rendered]) -> tuple[float, Gradients]:
    """sum(w * nll) / sum(w) and its gradient in float64, one unpadded document at a time, all logits made."""
    exact = copy.deepcopy(model).double()
    exact.zero_grad()
    total, weight = torch.zeros((), dtype=torch.float64), 0.0
    for document in rendered:
        ids = torch.from_numpy(document.input_ids.astype(np.int64))
        logits = exact(input_ids=ids[None], use_cache=False).logits[0, :-1]
        nll = -torch.log_softmax(logits, -1).gather(1, ids[1:, None])[:, 0]
        weights = torch.from_numpy(document.weights[1:].astype(np.float64))
        total = total + (nll * weights).sum()
        weight += float(weights.sum())
    loss = total / weight
    loss.backward()
    return float(loss.detach()), {name: one.grad for name, one in exact.named_parameters() if one.requires_grad}


class KeepGradients(TrainerCallback):
    """Copies the gradients before the optimiser uses them."""

    def __init__(self) -> None:
        self.gradients: Gradients = {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        named = given["model"].named_parameters()
        self.gradients = {name.removeprefix("module."): one.grad.clone() for name, one in named if one.requires_grad}


def step(
    model: Any, packs: Sequence[Pack], folder: Path, *, accumulation: int = 1, **given: Any
) -> tuple[dict[str, float], Gradients]:
    """One optimiser step of the real trainer, ``given`` its options; the line it logged, and the gradients."""
    trained = copy.deepcopy(model)
    assert use_document_attention(trained)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=accumulation,
        max_steps=1,
        learning_rate=0.0,
        optim="sgd",
        max_grad_norm=0.0,
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        report_to=[],
    )
    lines: list[dict[str, float]] = []
    keep = KeepGradients()
    trainer = MaskedTrainer(trained, arguments, packs, lines.append, **given)
    trainer.add_callback(keep)
    trainer.train()
    return (lines[0] if lines else {}), keep.gradients


def relative_error(found: Gradients, expected: Gradients) -> float:
    """Norm of the difference of all gradients over the norm of the expected ones."""
    assert found.keys() == expected.keys()
    difference = sum(float((found[name].double() - expected[name]).square().sum()) for name in expected)
    return (difference / sum(float(gradient.square().sum()) for gradient in expected.values())) ** 0.5


def _main(checkpoint: Path, output: Path) -> None:
    """Three rows on the ranks of torchrun; the first rank writes what it found."""
    torch.set_num_threads(1)
    packs = [Pack((document,)) for document in documents(checkpoint)]
    line, gradients = step(load(checkpoint), packs, output.parent / "trainer", accumulation=2)
    if line:
        torch.save({"line": line, "gradients": gradients}, output)
    leave_together()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
