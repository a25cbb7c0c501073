"""Large files from the network: a download that was cut goes on where it stopped, and is whole or not there.

While it runs, ``<name>.part`` holds what came and ``<name>.part.json`` which version of the file that was.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx
import orjson

from shared.dataset import Say
from shared.errors import RestepError

ATTEMPTS: Final = 4
"""Tries in a row that bring nothing before a download is given up for now."""

_SAY_EVERY: Final = 5.0
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A finished file: ``sha256`` in hex, ``size`` in bytes."""

    path: Path
    sha256: str
    size: int


def download(
    url: str, path: Path, *, sha256: str | None = None, source: str | None = None, say: Say, pause: float = 1.0
) -> Fetched:
    """Bring ``url`` to ``path``, going on from what an earlier call left; a finished file is only checked.

    ``source`` names the file where its address is another each time. ``pause`` is in seconds, between tries.
    Raises ``download_failed`` (what came is kept, but for a refusal), ``data_corrupt`` where the content has another
    checksum (nothing is kept), ``data_not_written``.
    """
    part = path.with_name(path.name + ".part")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _bring(url, source or url, part, say, pause)
            part.replace(path)
            _note(part).unlink(missing_ok=True)
        found = _sha256(path)
        if sha256 is not None and found != sha256:
            path.unlink()
            raise RestepError("data_corrupt", f"{url}: checksum {found[:16]}... where {sha256[:16]}... is right; removed")
        return Fetched(path, found, path.stat().st_size)
    except OSError as error:
        raise RestepError("data_not_written", f"{path}: {error.strerror or error}") from None


def _bring(url: str, source: str, part: Path, say: Say, pause: float) -> None:
    """Until the whole file is in ``part``."""
    progress = _Progress(part.stem, say)
    barren = 0
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client:
        while True:
            before = _size(part)
            try:
                _try(client, url, source, part, progress)
            except httpx.HTTPError as error:
                barren = 0 if _size(part) > before else barren + 1
                if barren == ATTEMPTS or (barren and isinstance(error, (httpx.ConnectError, httpx.UnsupportedProtocol))):
                    raise RestepError("download_failed", _given_up(url, _size(part), error)) from None
                time.sleep(pause * max(1, barren))
            else:
                return


def _try(client: httpx.Client, url: str, source: str, part: Path, progress: _Progress) -> None:
    """One request. Raises ``httpx.HTTPError`` where another may help, ``download_failed`` where none will."""
    have, version = _size(part), _read_version(part, source)
    headers = {"Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == 416:
            part.unlink()
            raise httpx.RemoteProtocolError("the part is longer than the file")
        if answer.status_code >= 500 or answer.status_code == 429:
            raise httpx.RemoteProtocolError(f"the server answers {answer.status_code}")
        if answer.status_code not in (200, 206):
            raise RestepError("download_failed", f"{url}: the server answers {answer.status_code} {answer.reason_phrase}")
        if answer.headers.get("content-type", "").startswith("text/html"):
            raise RestepError("download_failed", f"{url}: the server sends a web page instead of the file")
        resumed = answer.status_code == 206 and answer.headers.get("content-range", "").startswith(f"bytes {have}-")
        if answer.status_code == 206 and not resumed:
            raise httpx.RemoteProtocolError("the server sends another part than was asked for")
        version = answer.headers.get("etag") or answer.headers.get("last-modified", "")
        _note(part).write_bytes(orjson.dumps({"source": source, "version": version}))
        length = answer.headers.get("content-length", "")
        progress.begin(have if resumed else 0, int(length) if length.isdigit() else None)
        with part.open("ab" if resumed else "wb") as file:
            for block in answer.iter_raw():
                file.write(block)
                progress.add(len(block))


class _Progress:
    """Says every few seconds how far a download is."""

    def __init__(self, name: str, say: Say) -> None:
        self._name = name
        self._say = say
        self._done = 0
        self._total: int | None = None
        self._said = time.monotonic()

    def begin(self, have: int, rest: int | None) -> None:
        self._done, self._total = have, None if rest is None else have + rest
        verb = f"going on at {_megabytes(have)}" if have else "downloading"
        self._say(f"{self._name}: {verb}{'' if self._total is None else f', {_megabytes(self._total)} in all'}")

    def add(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._said > _SAY_EVERY:
            self._said = time.monotonic()
            self._say(
                f"{self._name}: {_megabytes(self._done)}{'' if self._total is None else f' of {_megabytes(self._total)}'}"
            )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _given_up(url: str, have: int, error: httpx.HTTPError) -> str:
    kept = f"; {_megabytes(have)} are kept, the same command goes on from there" if have else ""
    return f"{url}: {str(error) or type(error).__name__}{kept}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_version(part: Path, source: str) -> str:
    """The version that the part belongs to; "" where it is unknown or of another source, so that nothing is mixed."""
    try:
        note: object = orjson.loads(_note(part).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return ""
    fields = cast("dict[str, Any]", note) if isinstance(note, dict) else {}
    return str(fields.get("version", "")) if fields.get("source") == source else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
