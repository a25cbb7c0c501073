"""The grammar of an answer that must be one thought and one admissible action (GBNF, as vLLM's grammar engines take it)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from shared.react import ACTION, THOUGHT

THOUGHT_CHARS: Final = 400
"""A thought that never ended would leave no room for the action."""


def answer_grammar(actions: Sequence[str]) -> str:
    """``Thought: <one line>``, then ``Action: <one of actions>``; ``actions`` are lines of text."""
    choices = " | ".join(_literal(action) for action in dict.fromkeys(actions))
    thought, action = _literal(f"{THOUGHT} "), _literal(f"\n{ACTION} ")
    return f"root ::= {thought} [^\\n\\r]{{1,{THOUGHT_CHARS}}} {action} action\naction ::= {choices}\n"


def _literal(text: str) -> str:
    """A quoted string; JSON's escapes are GBNF's."""
    return json.dumps(text, ensure_ascii=False)
