"""The base student that comes with restep, by the name ``base``; any other name is a folder or a hub's checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from shared.errors import RestepError

NAME: Final = "base"
FOLDER: Final = Path(__file__).parent / "base"


def locate(checkpoint: str) -> str:
    """The folder of ``base``, the whole path of a folder, or the name as it is.

    Raises ``checkpoint_not_found`` for the path of a folder that holds no checkpoint.
    """
    if checkpoint == NAME:
        return str(FOLDER)
    path = Path(os.path.expanduser(checkpoint))  # os.path takes any text, pathlib fails on a long one or an unknown ~user
    if os.path.isdir(path):
        return str(path.resolve())
    if path.is_absolute():
        raise RestepError("checkpoint_not_found", f"{checkpoint}: no such folder")
    return checkpoint
