"""The files of one run's folder, read with care: a run may come from elsewhere, and links in it lead nowhere else."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import orjson

from shared.errors import RestepError

MAX_BYTES: Final = 64 << 20
"""No file that is read whole may be larger."""
_TAIL: Final = 1 << 16
_ACTIVITY: Final = ("trajectories.db", "trajectories.db-wal", "seconds.json", "arms/*/metrics.jsonl", "logs/*.log")
_GOING_SECONDS: Final = 60.0


class RunFiles:
    """What lies in a run's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> Path | None:
        """A file of the run; None where there is none, or where it is a link out of the folder."""
        path = self._folder / name
        inside = path.resolve().is_relative_to(self._folder.resolve())
        return path if inside and path.is_file() else None

    def read(self, name: str) -> bytes:
        """A whole file. Raises ``data_not_found``, ``data_corrupt`` for one that is too large, ``store_failed``."""
        path = self.find(name)
        if path is None:
            raise RestepError("data_not_found", f"the run has no {name}")
        try:
            if path.stat().st_size > MAX_BYTES:
                raise RestepError("data_corrupt", f"{name} has more than {MAX_BYTES} bytes")
            return path.read_bytes()
        except OSError as error:
            raise RestepError("store_failed", f"{name}: {error.strerror}") from None

    def json(self, name: str) -> dict[str, Any]:
        """A file that holds a JSON object. Raises what :meth:`read` raises."""
        try:
            body: object = orjson.loads(self.read(name))
        except orjson.JSONDecodeError as error:
            raise RestepError("data_corrupt", f"{name}: {error}") from None
        if not isinstance(body, dict):
            raise RestepError("data_corrupt", f"{name}: no object")
        return cast(dict[str, Any], body)

    def last_line(self, name: str) -> dict[str, Any]:
        """The last whole JSON object of a file of lines; empty where there is none."""
        path = self.find(name)
        if path is None:
            return {}
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().splitlines()
        for line in reversed(lines):
            try:
                body: object = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # it is being written
            if isinstance(body, dict):
                return cast(dict[str, Any], body)
        return {}

    def arms(self) -> list[str]:
        """The arms of which something is there."""
        found = self._folder.glob("arms/*")
        return sorted(path.name for path in found if path.is_dir() and not path.name.startswith("."))

    def touched(self) -> float:
        """When something was last written, in seconds since 1970; 0 for a folder without activity."""
        return max((_modified(path) for pattern in _ACTIVITY for path in self._folder.glob(pattern)), default=0.0)

    def going(self) -> bool:
        """Something was written a moment ago."""
        return time.time() - self.touched() < _GOING_SECONDS


def iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601, UTC; empty for 0."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # gone meanwhile
