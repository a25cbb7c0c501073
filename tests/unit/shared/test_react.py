from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.react import (
    MAX_ACTION_CHARS,
    first_message,
    lone_thought,
    parse_turn,
    prompt_version,
    system_prompt,
    turn_text,
)

# What an agent sensibly says: lines of words, no keyword of the format, no mark-down at the edges of an action.
_WORD = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=12).filter(
    lambda word: word.casefold() not in {"action", "thought"}
)
_ACTIONS = st.lists(_WORD, min_size=1, max_size=6).map(" ".join)
_THOUGHTS = st.lists(_ACTIONS, min_size=1, max_size=3).map("\n".join)


@given(_THOUGHTS, _ACTIONS)
@example("I need the key: it opens the door.", "click[buy now]")
@example("The last action was wrong, so I look around.", "put apple 1 in/on table 2")
@example("Reaction: none. I wait.", "wait1")
def test_reads_what_it_writes(thought: str, action: str) -> None:
    turn = parse_turn(turn_text(thought, action))
    assert (turn.thought, turn.action, turn.error) == (thought, action, None)


@given(st.text())
@example("Action:")
@example("\ud800Action: \x00")
@example("*" * 10_000 + "action" + "*" * 10_000)
@example("action\n" * 1000)
def test_never_raises_and_stays_in_bounds(text: str) -> None:
    turn = parse_turn(text)
    assert len(turn.action) <= MAX_ACTION_CHARS
    assert "\n" not in turn.action
    if turn.error is None:
        assert turn.action
        assert turn.thought


@pytest.mark.parametrize(
    ("text", "thought", "action", "error"),
    [
        ("Thought: a\nAction: b", "a", "b", None),
        ("thought: a\naction: b", "a", "b", None),
        ("**Thought:** a\n**Action:** `open door`", "a", "open door", None),
        ("> Thought: a\n> Action: b", "a", "b", None),
        ("a\nAction: b\nObservation: c\nAction: d", "a", "b", None),
        ("Thought: a\n\nAction:   look around  \n", "a", "look around", None),
        ("Action: b", "", "b", "no thought"),
        ("Thought: a\nAction:", "a", "", "empty action"),
        ("Thought: a\nAction: \nb", "a", "", "empty action"),
        ("open the door", "open the door", "open the door", "no action line"),
        ("one\ntwo", "one two", "one two", "no action line"),
        ("My action: none", "My action: none", "My action: none", "no action line"),
        (" \n ", "", "", "empty answer"),
        ("", "", "", "empty answer"),
        ("Thought: a\nAction: " + "b" * 500, "a", "b" * MAX_ACTION_CHARS, "action too long"),
    ],
)
def test_reads_an_answer(text: str, thought: str, action: str, error: str | None) -> None:
    turn = parse_turn(text)
    assert (turn.thought, turn.action, turn.error) == (thought, action, error)


def test_prompts_carry_their_parts() -> None:
    system = system_prompt("You live in a house.")
    assert system.startswith("You live in a house.\n")
    assert "Thought:" in system
    assert "Action:" in system
    assert first_message("Find a plant.", "You are in a room.") == "Find a plant.\n\nYou are in a room."


@given(_THOUGHTS, _ACTIONS)
def test_a_thought_is_alone_until_an_action_follows(thought: str, action: str) -> None:
    assert lone_thought(f"Thought: {thought}") == thought
    assert lone_thought(turn_text(thought, action)) is None


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        (" **Thought:** That did not help.\n", "That did not help."),
        ("Thought: a\nb", "a\nb"),
        ("Thought: a\nAction:", None),
        ("Thought:", None),
        ("go to room 1", None),
        ("I thought: a", None),
        ("", None),
    ],
)
def test_tells_a_lone_thought(text: str, thought: str | None) -> None:
    assert lone_thought(text) == thought


def test_the_layout_is_stamped_where_it_is_not_the_usual_one() -> None:
    assert (prompt_version("turn"), prompt_version("message")) == ("react-1", "react-1-reflection-message")
