"""Versions of everything a figure depends on, for the results: ours, the libraries', the engine's and the data's."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from shared.protocol import EnvironmentInfo
from shared.react import PROMPT_VERSION

_PACKAGES: Final = ("restep", "torch", "transformers", "accelerate", "tokenizers", "numpy")


def versions(environment: EnvironmentInfo) -> dict[str, str]:
    """Name to version, as they are on this machine and on the environment's server."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found | {
        f"{environment.name} engine": environment.engine_version,
        f"{environment.name} data": environment.data_version,
        "protocol": environment.protocol,
        "prompt": PROMPT_VERSION,
    }
