"""The grammar of constrained answers; that vLLM follows it is tested with vLLM."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from services.agent.vllm.structured import answer_grammar

_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')


@given(st.lists(_LINE, min_size=1))
def test_every_action_is_one_choice_and_nothing_else_is(actions: list[str]) -> None:
    grammar = answer_grammar(actions)
    root, choices = grammar.removesuffix("\n").split("\naction ::= ")
    assert [json.loads(literal) for literal in _LITERAL.findall(choices)] == list(dict.fromkeys(actions))
    assert _LITERAL.sub("x", choices) == " | ".join("x" for _ in dict.fromkeys(actions))
    assert root == 'root ::= "Thought: " [^\\n\\r]{1,400} "\\nAction: " action'
