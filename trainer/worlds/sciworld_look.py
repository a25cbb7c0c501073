"""What a look in ScienceWorld lists."""

from __future__ import annotations

import re
from typing import Final

_ITEM: Final = re.compile(r"^(?:a substance called |substance called |an |a |the |A door to the |A )", re.IGNORECASE)
_END: Final = re.compile(r"[.,(:]|its terminal| in the | with a | which | containing | that ")
_HOLDS: Final = re.compile(r"(?:[OI]n the [\w ]+ is: |\(containing )(.*)")
_NO_NAME: Final = frozenset({"", "agent", "air", "nothing", "ground"})


def item_name(text: str) -> str:
    """The bare name at the start of a listed item: ``a sink, which is off`` is ``sink``."""
    return _END.split(_ITEM.sub("", text.strip()))[0].strip(" )\n")


def listed_names(observation: str) -> list[str]:
    """Names of the things a look lists, holders and what they hold, in order; doors and fillers left out."""
    found: list[str] = []
    for line in observation.split("\n"):
        if not line.startswith("\t") or line.startswith("\tA door"):
            continue
        found.append(item_name(line))
        if held := _HOLDS.search(line):
            parts = re.split(r"[,(]", held.group(1).replace("containing", ","))
            found += [item_name(part) for part in parts if "door" not in part]
    return [name for name in dict.fromkeys(found) if name not in _NO_NAME and re.fullmatch(r"[a-z0-9 ()-]+", name)]
