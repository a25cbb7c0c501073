"""The official files, from where the benchmark's ``setup.sh`` takes them: a shared folder on Google Drive.

No checksums are published, so those of the first download are written down and hold for the next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.webshop.drive import DRIVE, drive_address
from shared.checksums import Checksums
from shared.dataset import Say
from shared.download import download
from shared.errors import RestepError

RECORD: Final = "fetched.json"
_EDGE: Final = 64

_HUMAN: Final = {"items_human_ins.json": "14Kb5SPBk_jfdLZ_CDBNitW98QLDlKR5O"}
SMALL: Final = {
    "items_shuffle_1000.json": "1EgHdxQ_YxqIQlvvq5iKlCrkEKR6-j0Ib",
    "items_ins_v2_1000.json": "1IduG0xl544V_A_jv3tHXC0kyFi7PnyBu",
    **_HUMAN,
}
"""The benchmark's first thousand products, 10 MB in all: names of files to their ids on Google Drive."""
FULL: Final = {
    "items_shuffle.json": "1A2whVgOO0euk5O13n2iYDM0bQRkkRduB",
    "items_ins_v2.json": "1s2j6NgHljiZzQNL3veZaAiyW_qDEgBNi",
    **_HUMAN,
}
"""All 1.18 million products, 5.4 GB."""


def fetch_catalogue(
    folder: Path, mirror: str | None, say: Say, *, full: bool = False, drive: str = DRIVE, pause: float = 1.0
) -> None:
    """Bring the files of :data:`SMALL` or :data:`FULL` that ``folder`` does not have.

    ``mirror`` is an address with the files below it, ``drive`` that of Google Drive; ``pause`` in seconds between tries.
    Raises ``download_failed``, ``data_corrupt``, ``data_not_written``.
    """
    record = Checksums(folder / RECORD)
    for name, drive_id in (FULL if full else SMALL).items():
        path = folder / name
        if path.exists():
            say(f"{path} is there already; remove it to fetch it again")
            continue
        known = record.get(name)
        if mirror is None:
            url = drive_address(drive_id, drive=drive, pause=pause)
            fetched = download(url, path, sha256=known, source=drive_id, say=say, pause=pause)
        else:
            fetched = download(f"{mirror.rstrip('/')}/{name}", path, sha256=known, say=say, pause=pause)
        _check(path)
        record.keep(name, fetched.sha256)
        say(f"{name}: {fetched.size / 1e6:.1f} MB, sha256 {fetched.sha256}")


def _check(path: Path) -> None:
    """Whether it may be JSON at all; what is within is checked when it is read. Raises ``data_corrupt``."""
    with path.open("rb") as file:
        first = file.read(_EDGE).strip()[:1]
        file.seek(max(path.stat().st_size - _EDGE, 0))
        last = file.read().strip()[-1:]
    if (first, last) not in ((b"[", b"]"), (b"{", b"}")):
        path.unlink()
        raise RestepError("data_corrupt", f"{path.name}: what came is no JSON; removed")
