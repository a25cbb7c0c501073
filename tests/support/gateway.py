"""The gateway of ``docker/gateway`` as a process of this machine: the same Envoy and configuration, before given servers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "docker" / "gateway"
_START_SECONDS = 60.0


class Gateway:
    """``with Gateway({"sciworld": [url, url]}, folder) as gateway: gateway.url``; ports are free ones."""

    def __init__(self, servers: Mapping[str, Sequence[str]], folder: Path) -> None:
        self._configuration = folder / "envoy.yaml"
        port = _free_port()
        self._configuration.write_text(yaml.safe_dump(_rewritten(servers, port)))
        self._admin = f"http://127.0.0.1:{port}"
        self._log = folder / "envoy.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self.observers_url = ""

    def __enter__(self) -> Self:
        command = [_binary(), "--config-path", str(self._configuration), "--concurrency", "1", "--disable-hot-restart"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._live():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end()
                raise AssertionError(f"the gateway did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.1)
        listeners = httpx.get(f"{self._admin}/listeners?format=json").json()["listener_statuses"]
        ports = {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in listeners}
        self.url, self.observers_url = (f"http://127.0.0.1:{ports[name]}" for name in ("public", "observers"))
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _live(self) -> bool:
        try:
            return httpx.get(f"{self._admin}/ready").is_success
        except httpx.HTTPError:
            return False

    def _end(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()


def _binary() -> str:
    binary = Path(str(resources.files("envoy"))) / "_bin" / "envoy"
    return str(binary) if binary.exists() else shutil.which("envoy") or "envoy"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _rewritten(servers: Mapping[str, Sequence[str]], admin_port: int) -> dict[str, Any]:
    text = (FOLDER / "envoy.yaml").read_text().replace("/etc/envoy/", f"{FOLDER}/")
    configuration: dict[str, Any] = yaml.safe_load(text)
    configuration["admin"] = {"address": _address("127.0.0.1", admin_port)}
    for listener in configuration["static_resources"]["listeners"]:
        listener["address"] = _address("127.0.0.1", 0)
    for cluster in configuration["static_resources"]["clusters"]:
        name = cluster["name"]
        cluster.pop("cluster_type", None)
        given = [f"http://127.0.0.1:{admin_port}"] if name == "admin" else servers.get(name, ())
        places = [urlsplit(url) for url in given]
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(at.hostname, at.port)}} for at in places]}]
        cluster |= {"type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}
    return configuration


def _address(host: str | None, port: int | None) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
