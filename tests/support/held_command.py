"""The ``restep`` command, held at a moment of its fine-tuning: ``python -m tests.support.held_command MOMENT ARGUMENT...``

MOMENT is ``checkpoint:N``, before the checkpoint of that optimiser step is written, or ``export``, when the last one is whole
and the model is about to be written. There it says so and waits for a line.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from tests.support.server import ROOT

_HELD = "held"


class Held:
    """The command in a process of its own, at the moment: ``with Held("export", ["finetune", ...]) as held: held.go_on()``."""

    def __init__(self, moment: str, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-m", __name__, moment, *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == _HELD:
                return self
        raise AssertionError(f"it ended before the moment: {self.process.communicate()}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def go_on(self) -> tuple[int, str]:
        """To its end: exit code and standard error."""
        _, errors = self.process.communicate("\n")
        return self.process.returncode, errors


def _hold() -> None:
    sys.stdout.write(f"\n{_HELD}\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _hold_at(moment: str) -> None:
    from trainer import finetune
    from trainer.masked_trainer import MaskedTrainer

    held: Any = MaskedTrainer  # nothing public is called before it writes a checkpoint
    save, export = held._save_checkpoint, finetune.export

    def hold_and_save(self: MaskedTrainer, *given: Any, **options: Any) -> None:
        if moment == f"checkpoint:{self.state.global_step}":
            _hold()
        save(self, *given, **options)

    def hold_and_export(*given: Any, **options: Any) -> None:
        if moment == "export":
            _hold()
        export(*given, **options)

    held._save_checkpoint, finetune.export = hold_and_save, hold_and_export


if __name__ == "__main__":
    from trainer.cli import main

    _hold_at(sys.argv.pop(1))
    main()
