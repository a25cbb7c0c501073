"""Versions of everything a figure depends on, for the results: ours, the libraries', the engines' and the data's."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from shared.protocol import EnvironmentInfo

_PLAYING: Final = ("shared", "trainer")
_PACKAGES: Final = ("restep", "torch", "transformers", "accelerate", "tokenizers", "numpy")


def versions() -> dict[str, str]:
    """Name to version, as they are on this machine."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def code_version() -> str:
    """Our version and a hash of the code that plays episodes: what must be the same wherever one run is played."""
    digest = hashlib.sha256()
    for package in _PLAYING:
        folder = Path(str(resources.files(package)))
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return f"{versions()['restep']}+{digest.hexdigest()[:12]}"


def environment_versions(info: EnvironmentInfo) -> dict[str, str]:
    """Name to version, as they are on an environment's server."""
    return {"engine": info.engine_version, "data": info.data_version, "HTTP protocol": info.protocol}
