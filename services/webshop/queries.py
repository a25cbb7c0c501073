"""The words of a goal, and the searches that can be made of them by somebody who reads nothing else.

The first search is the goal itself without its opening and its price limit; the others leave out more, because in a
large shop the words of options can matter more than those of attributes, or less.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from services.webshop.goals import Goal

_LIMIT: Final = re.compile(r", and price lower than ([\d.]+) dollars$")
_OPENING: Final = re.compile(r"^find me ", re.IGNORECASE)
_UNSEARCHABLE: Final = re.compile(r"[\[\]<>\s]+")


def limit_text(goal: Goal) -> str:
    """The price limit as the goal states it, ``50.00 dollars``; empty where it states none."""
    found = _LIMIT.search(goal.text)
    return f"{found[1]} dollars" if found else ""


def option_text(wanted: str | tuple[str, str]) -> str:
    """A wanted option as the goal states it: ``color: navy``, or what a person wrote."""
    return wanted if isinstance(wanted, str) else ": ".join(wanted)


def option_value(wanted: str | tuple[str, str]) -> str:
    """The value alone."""
    return wanted if isinstance(wanted, str) else wanted[1]


def searches(goal: Goal, query: str) -> Sequence[str]:
    """Keywords to try, best first, each of words of the goal; ``query`` is what its product is called, if it says so."""
    text = _OPENING.sub("", _LIMIT.sub("", goal.text))
    stated = f" with {', and '.join(map(option_text, goal.options))}" if goal.options else ""
    base = text.removesuffix(stated)
    values = [option_value(wanted) for wanted in goal.options]
    name = [query] if query in text else []
    attributes = [attribute for attribute in goal.attributes if attribute in text]
    made = (text, base, " ".join([*name, *values]), " ".join([*attributes, *values]), " ".join([*values, *name, *attributes]))
    cleaned = (_UNSEARCHABLE.sub(" ", words).strip() for words in made)
    return list(dict.fromkeys(words for words in cleaned if words))
