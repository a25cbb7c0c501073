"""Settings of the viewer, beside those every server has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.settings import ServerSettings


class ViewerSettings(ServerSettings):
    """``RESTEP_RUNS`` and its like, or keyword arguments."""

    runs: Path = Field(default=Path("runs"), description="folder of runs")
    store: str | None = Field(default=None, description="database URL of a store that runs share, read beside the folder")
    prefix: str = Field(
        default="", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="path a gateway serves the pages under, and takes off"
    )
