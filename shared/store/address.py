"""Where a store is: a path, or the URL of a database, whose password comes from elsewhere.

A URL stands in recipes, on command lines and in output, so none of them may hold a password: PostgreSQL's own client
library takes it from ``PGPASSWORD``, ``PGPASSFILE`` or a service file, and restep from a file that a variable names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from shared.errors import RestepError
from shared.settings import read_token

PASSWORD_FILE: Final = "RESTEP_STORE_PASSWORD_FILE"
_DRIVERS: Final = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


def store_url(url_or_path: str | Path) -> URL:
    """A database URL with what is needed to connect, a path as SQLite.

    Raises ``store_failed`` where nothing could be kept, ``data_not_found`` for a password file without a password.
    """
    text = str(url_or_path)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise RestepError("store_failed", f"no database URL: {' '.join(str(error).split())}") from None
    if url.get_backend_name() == "postgresql":
        return _with_password(url)
    if url.get_backend_name() != "sqlite":
        raise RestepError("store_failed", f"a store is SQLite or PostgreSQL, not {url.get_backend_name()}")
    _check_file(url)
    return url


def without_password(url: URL) -> str:
    """What may be shown of a URL, and opens the store again: the password then comes from where it came from."""
    port, query = url.port, url.query
    return URL.create(url.drivername, url.username, None, url.host, port, url.database, query).render_as_string()


def names_password(url_or_path: str) -> bool:
    """Whether a URL holds a password, which then stands wherever the URL does."""
    try:
        url = make_url(url_or_path) if "://" in url_or_path else None
    except ArgumentError:
        return False
    return url is not None and (url.password is not None or "password" in url.query)


def _with_password(url: URL) -> URL:
    file = os.environ.get(PASSWORD_FILE)
    if not file or url.password is not None:
        return url
    return url.set(password=read_token(Path(file), "the store's password file"))


def _check_file(url: URL) -> None:
    if url.database in (None, "", ":memory:"):
        raise RestepError("store_failed", "an in-memory store would be lost with the process; give a file")
    path = Path(str(url.database))
    if not str(path).startswith("file:"):
        if path.is_dir():
            raise RestepError("store_failed", f"{path} is a folder, not a store")
        if not path.parent.is_dir():
            raise RestepError("store_failed", f"{path}: the folder {path.parent} does not exist")
