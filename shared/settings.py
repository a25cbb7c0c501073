"""Settings of the servers, from ``RESTEP_*`` environment variables or keyword arguments (a command line's flags).

Few knobs on purpose: every one is a promise. A wrong value is refused at start with the variable's name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import RestepError
from shared.tokens import Token, read_tokens, secret_text

LogLevel = Literal["debug", "info", "warning", "error"]


class ServerSettings(BaseSettings):
    """What every HTTP service has."""

    model_config = SettingsConfigDict(env_prefix="RESTEP_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=0, ge=0, le=65535, description="port to listen on; 0 takes a free one and announces it")
    token_file: Path | None = Field(
        default=None, description="file with the bearer tokens clients may send, one a line; none: open"
    )
    trusted_proxies: str = Field(
        default="", description="addresses or networks, by commas, of gateways whose X-Forwarded-* headers are believed"
    )
    drain_seconds: float = Field(default=10.0, ge=0, description="how long work in flight may take to finish at shutdown")
    log_level: LogLevel = Field(default="info", description="least severe records to log")

    def tokens(self) -> tuple[Token, ...] | None:
        """The bearer tokens, or None when the server is open. Raises ``data_not_found``, ``data_corrupt``."""
        return None if self.token_file is None else read_tokens(self.token_file)


class EnvironmentSettings(ServerSettings):
    """What an environment server adds."""

    data: Path | None = Field(default=None, description="folder with the benchmarks' data; none: the embedded packs")
    workers: int = Field(default=2, ge=1, description="engine workers: JVMs, processes or threads")
    capacity: int = Field(default=256, ge=1, description="sessions held at once; over it creation answers 429")
    queue: int = Field(default=4096, ge=1, description="steps queued or running at once; over it a step answers 429")
    sessions_per_client: int | None = Field(
        default=None, ge=1, description="sessions one client may hold, over it creation answers 429; none: as many as all"
    )
    lease_seconds: float = Field(default=900.0, gt=0, description="an idle session is closed after so long")
    engine_timeout: float = Field(default=120.0, gt=0, description="one engine call may take so many seconds")
    expert: bool = Field(default=False, description="serve the privileged expert route")


def client_token() -> str | None:
    """What this process's clients send as their bearer token: the first of ``RESTEP_TOKEN_FILE``, None without it.

    It is the variable that gives a server its tokens, so a server started from here is given what is sent to it.
    Raises ``data_not_found`` for a file without one.
    """
    file = os.environ.get("RESTEP_TOKEN_FILE")
    return read_tokens(Path(file))[0].secret if file else None


def read_token(path: Path, what: str = "token file") -> str:
    """The secret in a file, without the space around it. Raises ``data_not_found`` for a file without one."""
    token = secret_text(path, what).strip()
    if not token:
        raise RestepError("data_not_found", f"{what} {path} is empty")
    return token
