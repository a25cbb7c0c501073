"""The checksums of what was fetched: where none are published, those of the first download hold for every later one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import orjson

from shared.cache import replacing
from shared.errors import RestepError


class Checksums:
    """SHA-256 in hex by name, kept in a JSON file."""

    def __init__(self, path: Path) -> None:
        """Raises ``data_corrupt`` where ``path`` is there and cannot be read."""
        self._path = path
        self._known = _read(path)

    def get(self, name: str) -> str | None:
        """The checksum of a file, None where it was never fetched."""
        return self._known.get(name)

    def keep(self, name: str, sha256: str) -> None:
        """Write a checksum down. Raises ``data_not_written``."""
        self._known[name] = sha256
        try:
            with replacing(self._path) as file:
                file.write(orjson.dumps(self._known, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise RestepError("data_not_written", f"{self._path}: {error.strerror or error}") from None


def _read(path: Path) -> dict[str, str]:
    try:
        content: object = orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, orjson.JSONDecodeError) as error:
        raise RestepError("data_corrupt", f"{path}: cannot be read ({error}); remove it to take any checksum") from None
    fields = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    return {name: str(checksum) for name, checksum in fields.items()}
