"""Versions of everything a figure depends on, for the results: ours, the libraries', the engines' and the data's."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from shared.protocol import EnvironmentInfo

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


def environment_versions(info: EnvironmentInfo) -> dict[str, str]:
    """Name to version, as they are on an environment's server."""
    return {"engine": info.engine_version, "data": info.data_version, "HTTP protocol": info.protocol}
