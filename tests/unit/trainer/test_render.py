"""The renderer's invariants on any trajectory: spans, prefixes, ids kept, weights where they belong (P1 to P4)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from shared.react import GO_ON, first_message
from shared.trajectory import Trajectory
from tests.support.prefixes import assert_prefixes
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import Said, in_messages, sample, trajectories, trajectory, written_dialogues
from trainer.chat_messages import assistant_turns
from trainer.render import KINDS, Renderer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer.from_tokenizer(TOKENIZER)
TRAINED = {KINDS.index(kind) for kind in ("golden", "student", "reflection", "correction")}


def _decode(ids: list[int]) -> str:
    return RENDERER.chat.codec.decode(ids)


@given(trajectories())
def test_segments_are_disjoint_and_cover_everything(one: Trajectory) -> None:
    segments = list(RENDERER.segments(one))
    rendered = RENDERER.render(one)
    assert [i for segment in segments for i in segment.ids] == rendered.input_ids.tolist()
    place = 0
    for segment in segments:
        span = slice(place, place + len(segment.ids))
        assert set(rendered.steps[span].tolist()) == {segment.step}
        assert set(rendered.kinds[span].tolist()) == {KINDS.index(segment.kind)}
        place = span.stop
    assert place == len(rendered)


@given(trajectories())
def test_a_rendered_prefix_is_a_prefix_of_the_whole(one: Trajectory) -> None:
    assert_prefixes(RENDERER, one)


@given(trajectories())
def test_every_step_keeps_its_sampled_ids_or_its_text(one: Trajectory) -> None:
    rendered = RENDERER.render(one)
    for step in one.steps:
        kind = KINDS.index(step.provenance)
        ids = rendered.input_ids[(rendered.steps == step.index) & (rendered.kinds == kind)].tolist()
        if step.token_ids is not None:
            assert ids[: len(step.token_ids)] == step.token_ids
            assert ids[len(step.token_ids) :] == ([] if step.token_ids[-1:] == [RENDERER.stop_id] else [RENDERER.stop_id])
        else:
            stop = [RENDERER.stop_id] if step.observation is not None else []
            assert ids == TOKENIZER.encode(step.text, split_special_tokens=True) + stop
            assert _decode(ids) == step.text + "<|im_end|>" * len(stop)


@given(trajectories())
def test_weight_is_on_trained_steps_and_their_own_stop_tokens_only(one: Trajectory) -> None:
    rendered = RENDERER.render(one)
    expected = np.isin(rendered.kinds, list(TRAINED))
    for step in one.steps:
        if step.token_ids is not None and step.token_ids[-1:] != [RENDERER.stop_id]:
            expected[np.flatnonzero((rendered.steps == step.index) & (rendered.kinds == KINDS.index(step.provenance)))[-1]] = 0
    assert np.array_equal(rendered.weights, expected.astype(np.float32))


@given(trajectories())
def test_appending_as_a_client_does_gives_the_ids_of_training(one: Trajectory) -> None:
    ids = list(RENDERER.start(one.protocol.system, first_message(one.task.goal, one.observation)).ids)
    turns = list(assistant_turns(one.steps))
    for number, turn in enumerate(turns):
        parts = [step.text if step.token_ids is None else step.token_ids for step in turn]
        ids += [i for segment in RENDERER.answer(*parts) for i in segment.ids]
        if number + 1 < len(turns):
            ids += RENDERER.observation(turn[-1].observation or "").ids
    assert ids == RENDERER.render(one).input_ids.tolist()


@given(trajectories())
def test_context_can_be_told_from_answers_whatever_the_texts_say(one: Trajectory) -> None:
    rendered = RENDERER.render(one)
    turns = len(list(assistant_turns(one.steps)))
    assert int((rendered.input_ids == RENDERER.stop_id).sum()) == 2 + turns + (turns - 1)
    context = np.isin(rendered.kinds, [KINDS.index("prompt"), KINDS.index("observation")])
    assert not rendered.weights[context].any()


@pytest.mark.parametrize("one", sample())
def test_chatml_equals_the_template_applied_to_the_whole_dialogue(one: Trajectory) -> None:
    messages = [
        {"role": "system", "content": one.protocol.system},
        {"role": "user", "content": first_message(one.task.goal, one.observation)},
    ]
    for turn in assistant_turns(one.steps):
        messages.append({"role": "assistant", "content": "".join(step.text for step in turn)})
        messages.append({"role": "user", "content": turn[-1].observation or ""})
    text = str(TOKENIZER.apply_chat_template(messages[:-1], tokenize=False))
    assert _decode(RENDERER.render(one).input_ids.tolist()) == text.removesuffix("\n")
    assert RENDERER.render(one).input_ids.tolist() == TOKENIZER.encode(text.removesuffix("\n"))


@given(written_dialogues(), st.sampled_from(["chatml", "template"]))
def test_either_layout_is_what_the_template_makes_of_the_dialogue(said: list[Said], chat_format: str) -> None:
    one, messages, trained = trajectory(said), [{"role": "assistant", "content": ""}], ""
    for step in said:
        messages[-1]["content"] += step.text
        trained += step.text if step.provenance != "error" else ""
        if step.followed is not None:
            messages += [{"role": "user", "content": step.followed}, {"role": "assistant", "content": ""}]
            trained += "<|im_end|>" if step.provenance != "error" else ""
    opening = [("system", one.protocol.system), ("user", first_message(one.task.goal, one.observation))]
    messages = [*({"role": role, "content": text} for role, text in opening), *messages[:-2]]
    text = str(TOKENIZER.apply_chat_template(messages, tokenize=False)).removesuffix("\n")
    rendered = Renderer.from_tokenizer(TOKENIZER, chat_format).render(one)
    assert rendered.input_ids.tolist() == TOKENIZER.encode(text)
    assert _decode(rendered.input_ids[rendered.weights == 1].tolist()) == trained
    assert set(rendered.weights.tolist()) <= {0.0, 1.0}


def test_a_reflection_of_its_own_is_trained_and_what_answers_it_is_not() -> None:
    one = in_messages()
    turns = [[step.index for step in turn] for turn in assistant_turns(one.steps)]
    assert turns == [[0], [1], [2], [3], [4]]
    segments = [segment for segment in RENDERER.segments(one) if segment.kind in ("reflection", "observation")]
    assert [(segment.kind, segment.step, segment.weight) for segment in segments] == [
        ("observation", 0, 0.0), ("reflection", 1, 1.0), ("reflection", 1, 1.0), ("observation", 1, 0.0),
        ("observation", 2, 0.0), ("observation", 3, 0.0),
    ]  # fmt: skip
    assert _decode([i for segment in segments[1:3] for i in segment.ids]) == "Thought: That did not help.<|im_end|>"
    assert _decode(list(segments[3].ids)) == f"\n<|im_start|>user\n{GO_ON}<|im_end|>\n<|im_start|>assistant\n"


def test_weights_given_for_steps_replace_their_loss() -> None:
    one = sample()[0]
    rendered = RENDERER.render(one, [0.25, 1.0, 0.0, 0.5, 0.0])
    for step, weight in zip(one.steps, [0.25, 1.0, 0.0, 0.5, 0.0], strict=True):
        mine = (rendered.steps == step.index) & (rendered.kinds == KINDS.index(step.provenance))
        assert set(rendered.weights[mine].tolist()) == {weight}


def test_a_stop_token_inside_an_answer_is_refused() -> None:
    stop = RENDERER.stop_id
    with pytest.raises(RestepError, match="inside an answer"):
        RENDERER.render(trajectory([Said("student", "x", ids=[9, stop, 9, stop])]))
    with pytest.raises(RestepError, match="inside an answer"):
        RENDERER.answer([9, stop], "more")


def test_the_last_observation_is_not_rendered() -> None:
    one = trajectory([Said("golden", "Thought: a\nAction: b", "UNSEEN")])
    assert "UNSEEN" not in _decode(RENDERER.render(one).input_ids.tolist())
