"""A Docker engine of the tests' own: Debian's daemon, run as root in a folder of its own and ended by its process id.

Images and build steps stay in the folder from run to run; containers and volumes do not.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 60.0
_STOP_SECONDS = 90.0
_SETTINGS = {"builder": {"gc": {"enabled": True, "defaultKeepStorage": "12GB"}}}
"""Build steps would grow with every change."""


class Docker:
    """The command line of one engine."""

    def __init__(self, socket: Path) -> None:
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}", "DOCKER_BUILDKIT": "1"}

    def __call__(
        self,
        *arguments: str,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
        timeout: float = 900.0,
    ) -> str:
        """``docker ARGUMENTS``; its standard output. An error fails the test with what was said."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=folder,
            env={**self.environment, **(variables or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def has(self, image: str) -> bool:
        """Whether the engine has an image of this name."""
        return bool(self("images", "--quiet", image).strip())


def obstacle() -> str | None:
    """Why no engine can be started on this machine, in a line; None where nothing speaks against it."""
    if os.geteuid() != 0:
        return "a Docker engine of our own needs root"
    for program in ("docker", "dockerd", "containerd", "runc", "iptables", "debootstrap"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    for plugin in ("compose", "buildx"):
        if subprocess.run(["docker", plugin, "version"], capture_output=True, check=False).returncode:
            return f"docker {plugin} is not installed"
    return None


class NoEngine(Exception):
    """The daemon does not run here; the text says why."""


@contextmanager
def engine(folder: Path) -> Generator[Docker]:
    """An engine with its data in ``folder`` for the time of the block. Raises :class:`NoEngine`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NoEngine(f"another test run uses the engine in {folder}") from None
        socket, pid_file, log_file = (folder / name for name in ("docker.sock", "docker.pid", "dockerd.log"))
        settings = folder / "daemon.json"
        settings.write_text(json.dumps(_SETTINGS))
        options = [
            "--config-file",
            settings,
            "--data-root",
            folder / "data",
            "--exec-root",
            folder / "exec",
            "--host",
            f"unix://{socket}",
        ]
        # The kernel tells it to end with us, however we end.
        command = ["setpriv", "--pdeathsig", "TERM", "dockerd", *map(str, options), "--pidfile", str(pid_file)]
        with log_file.open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        docker = Docker(socket)
        try:
            _await(docker, process, log_file)
            _clear(docker)
            yield docker
            _clear(docker)
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _await(docker: Docker, process: subprocess.Popen[bytes], log_file: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while subprocess.run(["docker", "version"], env=docker.environment, capture_output=True, check=False).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            words = log_file.read_text(errors="replace").strip().splitlines()[-1:]
            raise NoEngine(f"dockerd does not start: {' '.join(words)}")
        time.sleep(0.2)


def _clear(docker: Docker) -> None:
    """No container and no volume outlives a run, however it ended."""
    if containers := docker("ps", "--all", "--quiet").split():
        docker("rm", "--force", "--volumes", *containers)
    if volumes := docker("volume", "ls", "--quiet").split():
        docker("volume", "rm", "--force", *volumes)
    docker("network", "prune", "--force")
