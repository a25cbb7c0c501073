"""ALFWorld's data for the ``restep data`` commands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.alfworld.fetch import PACK, fetch_games
from services.alfworld.game_file import digest
from services.alfworld.library import GameLibrary, open_library
from shared.dataset import DataReport, Say
from shared.errors import RestepError

OFFICIAL: Final = {"train": 3553, "valid_seen": 140, "valid_unseen": 134}
"""Games of the benchmark's splits that count."""


class AlfworldDataset:
    """Implements :class:`shared.dataset.Dataset`."""

    def check(self, data: Path | None, say: Say) -> DataReport:
        """Every game is read and compared with its digest; the index of a folder is made anew.

        Raises ``data_not_found``, ``data_corrupt``.
        """
        library = open_library(data, say=say, renew=True)
        report = DataReport()
        splits = library.splits()
        report.facts.append(f"{library.origin}: {sum(splits.values())} games, data version {library.data_version}")
        report.facts.append(", ".join(f"{split} {count}" for split, count in splits.items()))
        if library.index.left_out:
            report.facts.append(f"{len(library.index.left_out)} folders left out, as in the benchmark")
        if data is not None and library.origin == "embedded":
            report.problems.append(f"{data / 'alfworld'}: no games of ALFWorld; a server would play the embedded ones")
        for split, count in splits.items():
            if count < OFFICIAL.get(split, 0):
                report.problems.append(
                    f"{split}: {OFFICIAL[split] - count} of the benchmark's {OFFICIAL[split]} games are missing"
                )
        _read_all(library, report)
        return report

    def fetch(self, data: Path, mirror: str | None, say: Say, *, full: bool = False) -> None:
        """Into ``<data>/alfworld``, always everything. Raises ``download_failed``, ``data_corrupt``, ``data_not_written``."""
        packed = fetch_games(data / "alfworld", mirror, say)
        if packed is None:
            return
        for line in packed.damaged:
            say(line)
        for reason, count in sorted(packed.left_out.items()):
            say(f"{count} folders left out: {reason}")
        say(f"{packed.games} games in {data / 'alfworld' / PACK}")


def _read_all(library: GameLibrary, report: DataReport) -> None:
    silent = 0
    for task_id, entry in library.index.entries.items():
        try:
            game = library.load(task_id)
        except RestepError as error:
            report.problems.append(error.detail)
            continue
        if digest(game) != entry.digest:
            report.problems.append(f"game {task_id}: its content is not what its index says")
        silent += game.walkthrough is None
    if silent:
        report.facts.append(f"{silent} games have no walkthrough")
