"""Archives of the folder layout, read once to make a pack of them: tar files, or the benchmark's two zip files."""

from __future__ import annotations

import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from services.alfworld.game_file import GAME, TRAJECTORY, LeftOut, check_folder, parse_game
from services.alfworld.pack import PackWriter
from shared.errors import RestepError

NOTICE: Final = "Games of ALFWorld (Shridhar et al., arXiv 2010.03768), MIT licence, (c) 2020 Mohit Shridhar and others."

RawGame = tuple[str, bytes, bytes | None]
"""Task id, content of the game's file, content of its trajectory's file or None."""


@dataclass(slots=True)
class Packed:
    """What became of the folders of an archive: ``left_out`` counts reasons, ``damaged`` has a line for each."""

    games: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    damaged: list[str] = field(default_factory=list[str])


def pack_games(raw: Iterable[RawGame], path: Path, *, quick: bool = False) -> Packed:
    """Write a pack of all games that are sound; the others are told. Raises ``data_corrupt`` where none is.

    ``quick`` as for :meth:`services.alfworld.pack.PackWriter.write`.
    """
    writer = PackWriter(NOTICE)
    packed = Packed()
    reasons: dict[str, str] = {}
    for task_id, game_file, trajectory in raw:
        try:
            game = parse_game(task_id, game_file, trajectory)
            if isinstance(game, LeftOut):
                packed.left_out[game.reason] += 1
                reasons[task_id] = game.reason
                continue
            writer.add(game)
        except RestepError as error:
            packed.damaged.append(error.detail)
            continue
        packed.games += 1
    if not packed.games:
        raise RestepError("data_corrupt", "; ".join(packed.damaged[:1]) or "the archive holds no game")
    writer.write(path, reasons, quick=quick)
    return packed


def tar_games(paths: Sequence[Path]) -> Iterator[RawGame]:
    """Games of tar files, compressed or not. Raises ``data_corrupt`` for a file that is damaged or cut."""
    for path in paths:
        waiting: dict[str, dict[str, bytes]] = {}
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    key = _key(member.name)
                    content = archive.extractfile(member) if key is not None and member.isfile() else None
                    if key is None or content is None:
                        continue
                    task_id, name = key
                    parts = waiting.setdefault(task_id, {})
                    parts[name] = content.read()
                    if len(parts) == 2:
                        del waiting[task_id]
                        yield task_id, parts[GAME], parts[TRAJECTORY]
        except Exception as error:  # noqa: BLE001 - each compression has its own exception for damage
            raise RestepError("data_corrupt", f"{path}: {error}") from None
        for task_id, parts in waiting.items():
            if GAME in parts:
                yield task_id, parts[GAME], None


def zip_games(games: Path, trajectories: Path) -> Iterator[RawGame]:
    """Games of one zip file with the trajectories of another. Raises ``data_corrupt`` for a file that is damaged."""
    try:
        with zipfile.ZipFile(games) as archive, zipfile.ZipFile(trajectories) as others:
            known = {key[0]: name for name in others.namelist() if (key := _key(name)) is not None and key[1] == TRAJECTORY}
            for name in archive.namelist():
                key = _key(name)
                if key is None or key[1] != GAME:
                    continue
                other = known.get(key[0]) if check_folder(key[0]) is None else None
                yield key[0], archive.read(name), None if other is None else others.read(other)
    except Exception as error:  # noqa: BLE001 - zlib.error has no common base with the others
        raise RestepError("data_corrupt", f"{games.name} or {trajectories.name}: {error}") from None


def _key(name: str) -> tuple[str, str] | None:
    """Task id and file name of a member, by the end of its path; None for other files."""
    parts = PurePosixPath(name).parts
    if len(parts) < 4 or parts[-1] not in (GAME, TRAJECTORY):
        return None
    return "/".join(parts[-4:-1]), parts[-1]
