"""Settings of the ALFWorld server, beside those every environment server has."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.settings import EnvironmentSettings


class AlfWorldSettings(EnvironmentSettings):
    """``RESTEP_ENGINE`` and its like, or keyword arguments."""

    engine: Literal["direct", "textworld"] = Field(
        default="direct", description="direct interprets the games itself; textworld is the benchmark's own engine"
    )
    textworld_python: Path | None = Field(
        default=None, description="interpreter of a virtual environment with TextWorld, where it is not in this one"
    )
