"""Images for a machine that reaches packages but no registry of images; ``tests/support/images`` has the stand-ins.

The base is Debian 12 with its Python, made by debootstrap and imported under the name that the Dockerfile's FROM has.
``python -m tests.support.docker_images`` builds everything that the tests start, beside other work: they find it built.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import yaml

from tests.support.docker_engine import Docker, NoEngine, engine, obstacle
from tests.support.server import ROOT

CACHE = Path(os.environ.get("RESTEP_CI_CACHE") or Path.home() / ".cache" / "restep-ci")
"""Where an engine keeps images and build steps between runs."""
STAND_INS = ROOT / "tests" / "support" / "images"
_RELEASE = "bookworm"
_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def base_image() -> str:
    """The name in the Dockerfile."""
    written = re.search(r"^ARG BASE=(\S+)$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    assert written is not None
    return written[1]


def image_of(service: str) -> str:
    """What compose.yaml names for a service."""
    name: str = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][service]["image"]
    return name


def build(docker: Docker, folder: Path) -> None:
    """Every image that the tests start, and in ``folder`` a checkout from which compose starts them."""
    make_base(docker, CACHE)
    make_stand_ins(docker, "gateway", "postgres", "prometheus")
    checkout(folder)
    lay_torch(folder / "docker" / "wheels", sys.executable)
    built = ["alfworld", "agent", "worker"]  # the other services have the image of the first
    docker("compose", "--profile", "worker", "--profile", "cpu", "build", *built, folder=folder, timeout=1800)


def make_base(docker: Docker, scratch: Path) -> None:
    """The base image, unless the engine has it."""
    if docker.has(base_image()):
        return
    with tempfile.TemporaryDirectory(dir=scratch) as made:
        root = Path(made)
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _RELEASE, made, _mirror()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
        (root / "etc/ssl/certs/ca-certificates.crt").write_bytes(_BUNDLE.read_bytes())
        for package in root.glob("var/cache/apt/archives/*.deb"):
            package.unlink()
        tar = subprocess.Popen(["tar", "--directory", made, "--create", "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", base_image()], env=docker.environment, stdin=tar.stdout, check=True)
        assert tar.wait() == 0


def make_stand_ins(docker: Docker, *services: str) -> None:
    """Images under the names that compose asks for."""
    folders = {"gateway": "envoy"}
    for service in services:
        folder = STAND_INS / folders.get(service, service)
        docker("build", "--tag", image_of(service), "--build-arg", f"BASE={base_image()}", str(folder))


def checkout(folder: Path) -> None:
    """What the images are built from, in a folder of its own: wheels are laid into it."""
    names = ["compose.yaml", ".dockerignore", "pyproject.toml", "README.md", "docker", "shared", "services", "trainer"]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())


def lay_torch(folder: Path, python: str) -> None:
    """The PyTorch for processors that this environment has, where pip finds it: an image then needs no CUDA."""
    version = metadata.version("torch")
    if version.endswith("+cpu"):
        command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), f"torch=={version}"]
        subprocess.run(command, check=True)


def _mirror() -> str:
    """Where this machine's own apt takes Debian's packages from."""
    wanted = ["Created-By: Packages", "Label: Debian", f"Codename: {_RELEASE}"]
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found, f"apt has no source of Debian's {_RELEASE}"
    return found[0]


def main() -> int:
    """Build, or say in a line why not."""
    why = obstacle()
    try:
        if why is None:
            with engine(CACHE / "docker") as docker, tempfile.TemporaryDirectory() as folder:
                build(docker, Path(folder))
    except NoEngine as error:
        why = str(error)
    sys.stdout.write(f"containers: {why or 'built'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
