"""From the ids inside a game to the names a player reads: ``mug_bar__plus_01_dot_20`` becomes ``mug 1``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

_BAR: Final = "_bar_"


def display_names(ids: Iterable[str]) -> dict[str, str]:
    """Names of ``ids`` (lower case). Those of one kind are numbered so that the first id in sort order is the highest.

    A basin is a kind of its own although its id begins like that of its sink. An id without a place in it keeps its
    text, and the blank that the original puts before a number.
    """
    ordered = sorted(ids)
    kinds = {name: _kind(name) for name in ordered if _BAR in name}
    left = Counter(kinds.values())
    names: dict[str, str] = {}
    for name in ordered:
        if (kind := kinds.get(name)) is None:
            names[name] = f"{_plain(name)} "
        else:
            names[name] = f"{kind} {left[kind]}"
            left[kind] -= 1
    return names


def _kind(name: str) -> str:
    kind = _plain(name.split(_BAR, 1)[0])
    return f"{kind}basin" if "basin" in name else kind


def _plain(text: str) -> str:
    for code, sign in (("_minus_", "-"), ("_plus_", "+"), ("_dot_", "."), ("_comma_", ",")):
        text = text.replace(code, sign)
    return text
