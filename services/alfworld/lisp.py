"""PDDL is written in parentheses; everything that reads it starts from the same nested lists."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from shared.errors import RestepError

Tree: TypeAlias = "str | list[Tree]"

_COMMENT: Final = re.compile(r";[^\n]*")
_TOKEN: Final = re.compile(r"[()]|[^\s()]+")


def read(text: str) -> list[Tree]:
    """The one expression in ``text``, lower-cased as PDDL is, comments dropped. Raises ``data_corrupt``."""
    if ";" in text:
        text = _COMMENT.sub("", text)
    top: list[Tree] = []
    stack = [top]
    for token in _TOKEN.findall(text.lower()):
        if token == "(":
            inner: list[Tree] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif token == ")":
            stack.pop()
            if not stack:
                raise RestepError("data_corrupt", "PDDL closes a parenthesis that was never opened")
        else:
            stack[-1].append(token)
    if len(stack) != 1 or len(top) != 1 or not isinstance(top[0], list):
        raise RestepError("data_corrupt", "PDDL is not one complete expression: the text is cut or has something beside it")
    return top[0]


def words(tree: Tree, what: str) -> list[str]:
    """``tree`` as a flat list of words. Raises ``data_corrupt`` naming ``what``."""
    if isinstance(tree, str):
        raise RestepError("data_corrupt", f"{what}: expected a list, found {tree!r}")
    found = [item for item in tree if isinstance(item, str)]
    if len(found) != len(tree):
        raise RestepError("data_corrupt", f"{what}: expected words only")
    return found


def typed(items: list[str]) -> list[tuple[str, str]]:
    """``a b - t c`` as (name, type) pairs; ``object`` where no type is given. Raises ``data_corrupt``."""
    pairs: list[tuple[str, str]] = []
    waiting: list[str] = []
    rest = iter(items)
    for item in rest:
        if item == "-":
            kind = next(rest, "")
            if not kind or not waiting:
                raise RestepError("data_corrupt", "PDDL has a type without names, or names without their type")
            pairs += [(name, kind) for name in waiting]
            waiting.clear()
        else:
            waiting.append(item)
    return pairs + [(name, "object") for name in waiting]
