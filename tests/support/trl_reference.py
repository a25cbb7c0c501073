"""One optimiser step of TRL's SFTTrainer over rows that are encoded already, to hold against ours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import datasets
import torch
from transformers import PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportPrivateImportUsage]  # its lazy module exports them

from tests.support.masked_reference import Gradients, KeepGradients


class _Trainer(SFTTrainer):
    """Keeps the exact loss of each micro-batch, which the log rounds."""

    losses: list[float]

    def compute_loss(self, *given: Any, **named: Any) -> Any:
        loss = cast("torch.Tensor", super().compute_loss(*given, **named))
        self.losses.append(float(loss.detach()))
        return loss


def trl_trainer(model: Any, tokenizer: PreTrainedTokenizerBase, rows: datasets.Dataset, folder: Path, **options: Any) -> Any:
    """An SFTTrainer for one step of plain gradient descent at learning rate 0, on a copy of ``model``."""
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": 1,
        "learning_rate": 0.0,
        "optim": "sgd",
        "max_grad_norm": 0.0,
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": True,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "max_length": 1024,
    }
    return _Trainer(
        model=copy.deepcopy(model),
        args=SFTConfig(**(settings | options)),
        train_dataset=rows,
        processing_class=tokenizer,
    )


def trl_step(
    model: Any, tokenizer: PreTrainedTokenizerBase, rows: datasets.Dataset, folder: Path, **options: Any
) -> tuple[float, Gradients]:
    """The loss of one optimiser step and its gradients."""
    trainer = trl_trainer(model, tokenizer, rows, folder, **options)
    trainer.losses = []
    keep = KeepGradients()
    trainer.add_callback(keep)
    trainer.train()
    return sum(cast("list[float]", trainer.losses)), keep.gradients
