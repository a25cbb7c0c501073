"""The files that a catalogue is read from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from shared.errors import RestepError


@dataclass(frozen=True, slots=True)
class Sources:
    """The official files of a catalogue; ``human`` may be missing."""

    products: Path
    instructions: Path
    human: Path | None

    def files(self) -> list[Path]:
        """Those there are."""
        return [path for path in (self.products, self.instructions, self.human) if path is not None]

    def stamp(self) -> str:
        """Changes with the size or time of any file. Raises ``data_not_found``."""
        try:
            states = [(str(path.resolve()), path.stat()) for path in self.files()]
        except OSError as error:
            raise RestepError("data_not_found", f"{error.filename}: {error.strerror or error}") from None
        return "".join(f"{path} {state.st_size} {state.st_mtime_ns}\n" for path, state in states)

    def digest(self) -> str:
        """A SHA-256 of all of them, in hex. Raises ``OSError``."""
        total = hashlib.sha256()
        for path in self.files():
            with path.open("rb") as file:
                total.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
        return total.hexdigest()
