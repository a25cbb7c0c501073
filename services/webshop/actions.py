"""What a shopper does, as text: ``search[keywords]`` and ``click[what stands on the page]``.

As in the benchmark: the argument is taken in lower case and up to the last bracket of the first line, what follows is
not read, and names are matched exactly.
"""

from __future__ import annotations

import re
from typing import Final

SEARCH: Final = "search"
CLICK: Final = "click"

_ACTION: Final = re.compile(r"(.+)\[(.+)\]")


def parse_action(action: str) -> tuple[str, str]:
    """Name and argument; the argument is empty where the text has none."""
    found = _ACTION.match(action)
    return (found[1], found[2].lower()) if found else (action, "")


def written(action: str) -> str:
    """The argument of an action as it was written, which the shop reads in lower case."""
    found = _ACTION.match(action)
    return found[2] if found else ""


def click(name: str) -> str:
    """The action that clicks what is called ``name``."""
    return f"{CLICK}[{name}]"
