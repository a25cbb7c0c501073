"""The two wordings of the benchmark: ``move X to Y`` since its games of version 2.1.2, ``put X in/on Y`` before.

Agents and data made for the older games need their words. A wording is a change of the grammar before it is
understood, so input, output and the list of commands agree by construction.
"""

from __future__ import annotations

from typing import Final

from services.alfworld.grammar import ActionText, Alternative, Grammar
from shared.errors import RestepError

NEW: Final = "new"
OLD: Final = "old"
STYLES: Final = (NEW, OLD)
HELP: Final = "help"
"""A command of the newer games only."""

_PUT: Final = "putobject"
_TEMPLATES: Final = {NEW: "move {o} to {r}", OLD: "put {o} in/on {r}"}
_REPLIES: Final = {
    "PutObject.feedback": {NEW: "You move the {o.name} to the {r.name}.", OLD: "You put the {o.name} in/on the {r.name}."},
    "GotoLocation.feedback": {
        NEW: "You arrive at {r.name}. #examineReceptacle.feedback#",
        OLD: "You arrive at {lend.name}. #examineReceptacle.feedback#",
    },
}


def reworded(grammar: Grammar, style: str) -> Grammar:
    """``grammar`` in the wording ``style``. The older one has no command ``help``.

    Raises ``data_corrupt`` when the grammar is worded in neither way: then there is nothing sure to replace.
    """
    put = grammar.actions.get(_PUT)
    if put is None or put.template not in _TEMPLATES.values():
        raise RestepError("data_corrupt", "grammar: objects are put down in words of neither known version of the games")
    actions = {name: text for name, text in grammar.actions.items() if not (style == OLD and name == HELP)}
    actions[_PUT] = ActionText(_TEMPLATES[style], put.feedback)
    rules = dict(grammar.rules)
    for name, wordings in _REPLIES.items():
        if [one.text for one in rules.get(name, ())] not in [[text] for text in wordings.values()]:
            raise RestepError("data_corrupt", f"grammar: rule {name!r} has words of neither known version of the games")
        rules[name] = (Alternative((), wordings[style]),)
    return Grammar(rules, actions)
