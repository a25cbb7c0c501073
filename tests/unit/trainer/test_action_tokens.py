"""Where the action of an answer begins, in tokens, for written and for sampled answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from shared.react import action_start, turn_text
from shared.trajectory import Trajectory
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import Said, sample, trajectories, trajectory
from trainer.chat_format import Codec
from trainer.render import Renderer, in_answers

TOKENIZER = tiny_tokenizer()
CODEC, RENDERER = Codec(TOKENIZER), Renderer.from_tokenizer(TOKENIZER)


def parts(one: Trajectory) -> list[tuple[str, str]]:
    """Thought and action of every step, decoded from what was marked."""
    rendered = RENDERER.render(one)
    steps = np.where(in_answers(rendered.kinds), rendered.steps, -1)
    found: list[tuple[str, str]] = []
    for step in one.steps:
        inside = steps == step.index
        thought, action = (
            CODEC.decode(rendered.input_ids[inside & part].tolist()) for part in (~rendered.actions, rendered.actions)
        )
        found.append((thought, action))
    return found


def test_a_turn_of_reflection_and_correction() -> None:
    found = parts(sample()[2])
    assert found[0] == ("Thought: I eat the cup.\n", "Action: eat cup<|im_end|>")
    assert found[1] == ("Thought: That did not help.", "")
    assert found[2] == (" I take the cup.\n", "Action: pick up cup<|im_end|>")


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("no action at all", "no action at all<|im_end|>"),
        ("Action: look", ""),
        ("I think.\n  **Action**: look", "I think.\n"),
        ("Thought: action is good.\nAction: a\nAction: b", "Thought: action is good.\n"),
    ],
)
def test_answers_of_all_kinds(text: str, thought: str) -> None:
    assert parts(trajectory([Said("student", text)]))[0][0] == thought


def test_sampled_ids_that_no_encoding_would_give() -> None:
    ids = [id for character in turn_text("I look.", "look around") for id in CODEC.encode(character)]
    assert parts(trajectory([Said("student", "", ids=ids)])) == [("Thought: I look.\n", "Action: look around<|im_end|>")]


@given(trajectories())
def test_an_action_is_the_end_of_its_step_and_begins_with_its_line(one: Trajectory) -> None:
    rendered = RENDERER.render(one)
    assert not rendered.actions[~in_answers(rendered.kinds)].any()
    steps = np.where(in_answers(rendered.kinds), rendered.steps, -1)
    for step in one.steps:
        inside = np.flatnonzero(steps == step.index)
        marked = rendered.actions[inside]
        assert not (marked[:-1] & ~marked[1:]).any()
        whole = CODEC.decode(rendered.input_ids[inside].tolist())
        start = action_start(whole)
        assert marked.any() == (start is not None)
        if start is not None:
            assert len(CODEC.decode(rendered.input_ids[inside][~marked].tolist())) <= start
            assert len(CODEC.decode(rendered.input_ids[inside][: int(marked.argmax()) + 1].tolist())) > start
