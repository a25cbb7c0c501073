"""Fine-tune the sample trajectories in a process of its own, or by torchrun in several.

``finetune_process.py BASE OUTPUT [BYTES]``; with BYTES no file may grow beyond that, as on a disk that is full.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from shared.errors import RestepError
from tests.support.trajectories import sample
from trainer.finetune import finetune
from trainer.finetune_config import FinetuneConfig
from trainer.ranks import leave_together

SETTINGS = {"epochs": 4, "learning_rate": 3e-3, "batch_tokens": 400, "pack_tokens": 200, "save_steps": 3, "threads": 1}


def config(base: Path, output: Path) -> FinetuneConfig:
    """The fine-tuning that is the same on any number of ranks."""
    return FinetuneConfig.model_validate(SETTINGS | {"base": str(base), "output": output, "device": "cpu"})


if __name__ == "__main__":
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    try:
        finetune(config(Path(sys.argv[1]), Path(sys.argv[2])), sample())
        leave_together()
    except RestepError as failure:
        sys.exit(str(failure))
