"""The official games, from the benchmark's own archives into a pack.

Two archives are needed: the games, and the trajectories with the human annotations. They are removed once the pack is
written. Where upstream publishes no checksums, those of the first download are written down and hold for the next.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from services.alfworld.archives import Packed, pack_games, zip_games
from services.alfworld.pack import SUFFIX, Pack
from shared.checksums import Checksums
from shared.dataset import Say
from shared.download import Fetched, download

RELEASES: Final = "https://github.com/alfworld/alfworld/releases/download"
GAMES: Final = "0.4.0/json_2.1.2_tw-pddl.zip"
TRAJECTORIES: Final = "0.2.2/json_2.1.1_json.zip"
PACK: Final = f"games{SUFFIX}"
RECORD: Final = "fetched.json"


def fetch_games(folder: Path, mirror: str | None, say: Say, *, pause: float = 1.0) -> Packed | None:
    """Make ``folder/games.jsonl.xz``; None where it is there already.

    ``mirror`` is an address with the same paths below it; ``pause`` in seconds between tries of a download.
    Raises ``download_failed``, ``data_corrupt``, ``data_not_written``.
    """
    target = folder / PACK
    if target.exists():
        pack = Pack(target)
        say(f"{target} is there already, {len(pack.index.entries)} games; remove it to fetch them again")
        return None
    base = (mirror or RELEASES).rstrip("/")
    record = Checksums(folder / RECORD)
    fetched: dict[str, Fetched] = {}
    for name in (GAMES, TRAJECTORIES):
        path = folder / "download" / name.rsplit("/", 1)[-1]
        fetched[name] = download(f"{base}/{name}", path, sha256=record.get(name), say=say, pause=pause)
        say(f"{path.name}: {fetched[name].size / 1e6:.1f} MB, sha256 {fetched[name].sha256}")
        record.keep(name, fetched[name].sha256)
    say("packing the games, which takes a minute or two")
    packed = pack_games(zip_games(fetched[GAMES].path, fetched[TRAJECTORIES].path), target)
    with contextlib.suppress(OSError):
        for one in fetched.values():
            one.path.unlink()
        (folder / "download").rmdir()
    return packed
