"""The stack of ``compose.yaml`` on an engine, published on a free port of this machine's loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.docker_engine import Docker

_PAUSE = 0.5


class Stack:
    """``stack.compose("up", "--detach")``; ``folder`` holds the compose files."""

    def __init__(self, docker: Docker, folder: Path) -> None:
        self._docker = docker
        self._folder = folder
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self._variables = {"RESTEP_PORT": str(taken.getsockname()[1]), "COMPOSE_PROJECT_NAME": "restep"}
        self.url = f"http://127.0.0.1:{self._variables['RESTEP_PORT']}"

    def compose(self, *arguments: str, timeout: float = 900.0) -> str:
        """``docker compose ARGUMENTS`` to its end; its standard output."""
        return self._docker("compose", *arguments, folder=self._folder, variables=self._variables, timeout=timeout)

    def work(self, *command: str) -> subprocess.Popen[str]:
        """``docker compose run worker COMMAND``, begun."""
        return subprocess.Popen(
            ["docker", "compose", "run", "--rm", "--no-TTY", "--name", "restep-test-worker", "worker", *command],
            cwd=self._folder,
            env={**self._docker.environment, **self._variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self, container: str) -> None:
        """SIGKILL to a container, by name or id."""
        self._docker("kill", container)

    def containers(self, service: str) -> list[str]:
        """Ids of a service's containers that run."""
        return self.compose("ps", "--quiet", service).split()

    def python(self, service: str, code: str, *arguments: str, index: int = 1) -> str:
        """What a few lines of Python print inside a service's container."""
        return self.compose("exec", "--no-TTY", f"--index={index}", service, "python3", "-c", code, *arguments)

    def sql(self, query: str) -> list[str]:
        """Rows of a query on the store."""
        return self.compose("exec", "--no-TTY", "postgres", "psql", "-U", "restep", "-At", "-c", query, "restep").splitlines()


def eventually(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something outside this process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(_PAUSE)
