"""The folder of one fine-tuning: whose it is, how far it came, and its metrics line by line.

Everything here survives a kill at any moment: files are replaced in one move, a checkpoint counts when its last file
is whole, and metrics after the checkpoint that training resumes from are taken back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson

from shared.errors import RestepError

CARD_FILE: Final = "restep.json"
METRICS_FILE: Final = "metrics.jsonl"
TENSORBOARD_FOLDER: Final = "tensorboard"
_STATE_FILE: Final = "trainer_state.json"


class TrainingFolder:
    """Paths and rules of an output folder. Its failures are ``store_failed``.

    Of the processes that train together all read and one, the ``writer``, writes.
    """

    def __init__(self, path: Path, *, writer: bool = True) -> None:
        self.path = path
        self.writer = writer
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / TENSORBOARD_FOLDER
        self._metrics = path / METRICS_FILE
        self._claim = self.checkpoints / "fingerprint"

    def card(self) -> bytes | None:
        """The card of a finished training."""
        with self._guard():
            card = self.path / CARD_FILE
            return card.read_bytes() if card.is_file() else None

    def claim(self, fingerprint: str) -> None:
        """Take the folder for the training of this fingerprint. Raises ``invalid_recipe`` when it is another's."""
        with self._guard():
            if self._claim.is_file():
                self.check(self._claim.read_text(), fingerprint)
            if self.writer:
                self.checkpoints.mkdir(parents=True, exist_ok=True)
                _replace(self._claim, fingerprint.encode())

    def check(self, held: str, wanted: str) -> None:
        """Raise ``invalid_recipe`` unless the fingerprints agree."""
        if held != wanted:
            detail = f"{self.path} holds a training with other options or data: name another folder, or remove it"
            raise RestepError("invalid_recipe", detail)

    def last_checkpoint(self) -> tuple[Path, int] | None:
        """The newest whole checkpoint and its optimiser step."""
        found: list[tuple[int, Path]] = []
        for state in self.checkpoints.glob(f"checkpoint-*/{_STATE_FILE}"):
            try:
                found.append((int(orjson.loads(state.read_bytes())["global_step"]), state.parent))
            except (orjson.JSONDecodeError, KeyError):
                continue
        if not found:
            return None
        step, path = max(found)
        return path, step

    def metrics(self, until: int | None = None) -> list[dict[str, float]]:
        """The lines written so far; those after step ``until`` are removed from the file."""
        with self._guard():
            lines: list[dict[str, float]] = []
            for raw in self._metrics.read_bytes().splitlines() if self._metrics.is_file() else []:
                try:
                    lines.append(orjson.loads(raw))
                except orjson.JSONDecodeError:
                    break  # cut off by a kill
            if until is not None:
                lines = [line for line in lines if line["step"] <= until]
                if self.writer:
                    _replace(self._metrics, b"".join(orjson.dumps(line) + b"\n" for line in lines))
            return lines

    def add_metrics(self, line: dict[str, float]) -> None:
        """Append one line."""
        if self.writer:
            with self._guard(), self._metrics.open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")

    def finish(self, card: bytes) -> None:
        """Write the card, which makes the training finished, and drop what only a resumption needed."""
        if not self.writer:
            return
        with self._guard():
            _replace(self.path / CARD_FILE, card)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    @contextmanager
    def _guard(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise RestepError("store_failed", f"{self.path}: {error.strerror or error}") from None


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
