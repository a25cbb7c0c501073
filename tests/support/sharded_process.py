"""Fine-tunings whose model is divided over torchrun's ranks: all of them in one start, because starting is what costs.

``sharded_process.py BASE FOLDER`` writes a fine-tuning into each of ``whole``, ``whole-resumed``, ``lora`` and
``lora-resumed``; the resumed ones are stopped after their fifth step and go on from the checkpoint of their third. All of
them compute activations twice, and so does ``dropout``; ``dropout-kept`` is the same without.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from tests.support.finetune_process import SETTINGS
from tests.support.trajectories import sample
from trainer.finetune import FinetuneConfig, finetune
from trainer.masked_trainer import MaskedTrainer
from trainer.ranks import leave_together
from trainer.training_folder import TrainingFolder

TWICE = {"activation_checkpointing": True}
LORA = {"lora": {"rank": 4}} | TWICE
DROPOUT = {"lora": {"rank": 4, "dropout": 0.1}, "epochs": 3}


class Stopped(Exception):
    """As a signal would stop it, on all ranks at once."""


def config(base: Path, output: Path, **given: Any) -> FinetuneConfig:
    """One fine-tuning, sharded where there are ranks."""
    fields = SETTINGS | {"base": str(base), "output": output, "device": "cpu", "sharding": "full", "epochs": 8} | given
    return FinetuneConfig.model_validate(fields)


def stop(fine_tuning: FinetuneConfig, after: int) -> None:
    """Begin a fine-tuning and stop it after a step."""
    plain = MaskedTrainer.log

    def log(self: MaskedTrainer, logs: dict[str, float], start_time: float | None = None) -> None:
        plain(self, logs, start_time)
        if self.state.global_step == after:
            raise Stopped

    with mock.patch.object(MaskedTrainer, "log", log):
        try:
            finetune(fine_tuning, sample())
        except Stopped:
            return
    raise AssertionError("it was not stopped")


def _main(base: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    for name, given in {"whole": TWICE, "lora": LORA}.items():
        finetune(config(base, folder / name, **given), sample())
        resumed = config(base, folder / f"{name}-resumed", **given)
        stop(resumed, after=5)
        found = TrainingFolder(resumed.output).last_checkpoint()
        assert found is not None
        assert found[1] == 3
        assert (found[0] / "pytorch_model_fsdp_0").is_dir()
        finetune(resumed, sample())
    for name, given in {"dropout": DROPOUT | TWICE, "dropout-kept": DROPOUT}.items():
        finetune(config(base, folder / name, **given), sample())
    leave_together()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
