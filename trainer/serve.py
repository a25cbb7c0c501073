"""``restep serve``: which servers there are and how each is put together from the command line's flags.

Imports happen inside the functions: an environment's machine has neither torch nor the other engines.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from shared.errors import RestepError
from shared.settings import EnvironmentSettings, ServerSettings
from shared.store.address import PASSWORD_FILE, names_password
from trainer.shipped import NAME, locate

Flags = Mapping[str, Any]
S = TypeVar("S", bound=ServerSettings)


def _sciworld(flags: Flags) -> int:
    try:
        from services.sciworld.app import main
    except ImportError as error:
        raise _missing("sciworld", error) from None
    return main(settings(EnvironmentSettings, flags))


def _alfworld(flags: Flags) -> int:
    from services.alfworld.app import main
    from services.alfworld.settings import AlfWorldSettings

    return main(settings(AlfWorldSettings, flags))


def _webshop(flags: Flags) -> int:
    try:
        from services.webshop.app import main
    except ImportError as error:
        raise _missing("webshop", error) from None
    return main(settings(EnvironmentSettings, flags))


def _agent(flags: Flags) -> int:
    try:
        from services.agent.app import main
        from services.agent.settings import AgentSettings
    except ImportError as error:
        raise _missing("agent", error) from None
    given = {**flags, "checkpoint": locate(str(flags.get("checkpoint") or os.environ.get("RESTEP_CHECKPOINT", NAME)))}
    return main(settings(AgentSettings, given))


def _viewer(flags: Flags) -> int:
    try:
        from services.viewer.app import main
        from services.viewer.settings import ViewerSettings
    except ImportError as error:
        raise _missing("viewer", error) from None
    if names_password(str(flags.get("store", ""))):
        raise RestepError("invalid_request", f"--store: no password on a command line; {PASSWORD_FILE} names a file with it")
    return main(settings(ViewerSettings, flags))


SERVICES: Final[Mapping[str, tuple[int, Callable[[Flags], int]]]] = {
    "alfworld": (8001, _alfworld),
    "webshop": (8002, _webshop),
    "sciworld": (8003, _sciworld),
    "agent": (8010, _agent),
    "viewer": (8020, _viewer),
}
"""Name: default port, and what runs it until it is told to stop; the answer is the exit code."""


def serve(service: str, flags: Flags, *, follow_stdin: bool = False) -> int:
    """Run a server until SIGTERM. Flags that are None leave the choice to ``RESTEP_*`` and the defaults.

    ``follow_stdin`` ends the server when standard input does: for a parent that must not leave orphans.
    """
    if service not in SERVICES:
        raise RestepError("invalid_request", f"no server {service!r}; there are: {', '.join(SERVICES)}")
    port, run = SERVICES[service]
    given = {name: value for name, value in flags.items() if value is not None}
    if "port" not in given and "RESTEP_PORT" not in os.environ:
        given["port"] = port
    if follow_stdin:
        threading.Thread(target=_leave_with_stdin, daemon=True).start()
    return run(given)


def settings(kind: type[S], flags: Flags) -> S:
    """Settings from flags over environment variables. Raises ``invalid_request`` with the field named, ``data_not_found``."""
    if foreign := sorted(flags.keys() - kind.model_fields.keys()):
        named = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        raise RestepError("invalid_request", f"{named}: not an option of this server")
    try:
        chosen = kind(**flags)
    except ValidationError as error:
        first = error.errors()[0]
        raise RestepError("invalid_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if isinstance(chosen, EnvironmentSettings) and chosen.data is not None and not chosen.data.is_dir():
        raise RestepError("data_not_found", f"{chosen.data} is no folder")
    return chosen


def _leave_with_stdin() -> None:
    while os.read(0, 4096):  # unbuffered: a lock held in sys.stdin would abort the interpreter's own end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _missing(extra: str, error: ImportError) -> RestepError:
    return RestepError("missing_extra", f"{error.name or error} is not installed; pip install 'restep[{extra}]'")
