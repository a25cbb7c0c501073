"""Compose files and Dockerfiles as their own programs see them; no engine is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT

PROFILES = ("cpu", "gpu", "worker", "observability")
PUBLIC = ("-f", "compose.yaml", "-f", "docker/compose.public.yaml")


def _has_compose() -> bool:
    docker = shutil.which("docker")
    return (
        docker is not None and not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    )


needs_compose = pytest.mark.skipif(not _has_compose(), reason="docker compose is not installed")


def configuration(*files: str, profiles: tuple[str, ...] = PROFILES) -> dict[str, Any]:
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    command = ["docker", "compose", *files, *chosen, "config", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@needs_compose
def test_without_a_profile_everything_but_models_and_observers_starts() -> None:
    assert set(configuration(profiles=())["services"]) == {
        *("secrets", "alfworld", "webshop", "sciworld", "gateway", "postgres", "viewer")
    }
    assert set(configuration()["services"]) > {"agent", "agent-gpu", "worker", "prometheus", "grafana"}


@needs_compose
def test_nothing_is_open_to_other_machines_without_a_token() -> None:
    services = configuration()["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"gateway"}
    assert [port["host_ip"] for port in published["gateway"]] == ["127.0.0.1"]
    public = configuration(*PUBLIC)["services"]
    assert ["host_ip" in port for port in public["gateway"]["ports"]] == [False]
    for name in ("alfworld", "webshop", "sciworld", "agent", "agent-gpu", "viewer", "worker"):
        assert public[name]["environment"]["RESTEP_TOKEN_FILE"] == "/run/restep/token/token"
        assert any(mount["target"] == "/run/restep/token" and mount["read_only"] for mount in public[name]["volumes"])
        assert len(public[name]["volumes"]) == 1 + len(services[name].get("volumes", []))


@needs_compose
@pytest.mark.parametrize("files", [(), PUBLIC])
def test_every_container_is_confined(files: tuple[str, ...]) -> None:
    for name, service in configuration(*files)["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert ":" in service["image"] or service["image"].startswith("restep-"), name
        assert not service["image"].endswith(":latest"), name
        if name not in ("secrets", "worker"):  # which end
            assert service["healthcheck"]["test"], name


@pytest.mark.parametrize(
    "path", ["docker/Dockerfile", *(str(p.relative_to(ROOT)) for p in ROOT.glob("tests/support/images/*/Dockerfile"))]
)
def test_hadolint_has_nothing_to_say(path: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    ignored = ["--ignore", "DL3008"]  # packages without versions: Debian keeps one of each
    checked = subprocess.run([hadolint, *ignored, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
