"""Messages with flags: errors are read and not trained, everything else is trained, and nothing stands after that."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.react import GO_ON
from shared.trajectory import Trajectory
from tests.support.refusal import refusal
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import Said, in_messages, sample, trajectory, written_dialogues
from trainer.chat_messages import chat_messages
from trainer.exports.flags import Library, flagged_rows
from trainer.exports.rows import Exported
from trainer.render import Renderer

LIBRARIES: tuple[Library, ...] = get_args(Library)
TOKENIZER = tiny_tokenizer()
RENDERER = Renderer.from_tokenizer(TOKENIZER)


def rows(trajectories: list[Trajectory], library: Library) -> list[dict[str, Any]]:
    return list(flagged_rows(trajectories, library, Exported()))


def read(message: dict[str, Any], library: Library) -> tuple[str, str, float]:
    """Role, text and weight of a message as the library's own code takes them from it."""
    match library:
        case "axolotl":
            assert set(message) == {"role", "content", "train"}
            return message["role"], message["content"], float(message["train"])
        case "ms-swift":
            assert set(message) == {"role", "content", "loss"}
            return message["role"], message["content"], float(message["loss"])
        case "llama-factory":
            (part,) = message["content"]
            assert set(message) == {"role", "content", "loss_weight"}
            assert (set(part), part["type"]) == ({"type", "value"}, "text")
            return message["role"], part["value"], message["loss_weight"]


def test_a_row_of_axolotl_to_the_letter() -> None:
    one = sample()[2]
    (row,) = rows([one], "axolotl")
    assert row == {
        "task_id": "boil/0",
        "run": "test",
        "id": one.id,
        "messages": [
            {"role": "system", "content": "Act.", "train": False},
            {"role": "user", "content": "Your task is to boil water.\n\nA room.", "train": False},
            {"role": "assistant", "content": "Thought: I eat the cup.\nAction: eat cup", "train": False},
            {"role": "user", "content": "No known action matches that input.", "train": False},
            {
                "role": "assistant",
                "content": "Thought: That did not help. I take the cup.\nAction: pick up cup",
                "train": True,
            },
        ],
    }


def test_the_other_two_say_the_same_in_their_own_words() -> None:
    (row,) = rows([sample()[2]], "ms-swift")
    assert [message.get("loss") for message in row["messages"]] == [False, False, False, False, True]
    (row,) = rows([sample()[2]], "llama-factory")
    assert row["messages"][2] == {
        "role": "assistant",
        "content": [{"type": "text", "value": "Thought: I eat the cup.\nAction: eat cup"}],
        "loss_weight": 0.0,
    }
    assert [message["loss_weight"] for message in row["messages"]] == [0.0, 0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("library", LIBRARIES)
@given(said=written_dialogues())
def test_no_error_is_trained_and_every_other_answer_is(library: Library, said: list[Said]) -> None:
    one = trajectory(said)
    whole = chat_messages(one)
    written = rows([one], library)
    if all(step.provenance == "error" for step in one.steps):
        assert written == []
        return
    messages = [read(message, library) for message in written[0]["messages"]]
    for (role, text, weight), message in zip(messages, whole, strict=False):
        assert (role, text) == (message.role, message.text)
        erroneous = any(step.provenance == "error" for step in message.steps)
        assert weight == (0.0 if erroneous or role != "assistant" else 1.0)
    left = [step.provenance for message in whole[len(messages) :] for step in message.steps]
    assert set(left) <= {"error"}
    assert messages[-1][2] == 1.0


@given(said=written_dialogues())
def test_what_the_flags_train_is_what_we_train(said: list[Said]) -> None:
    one = trajectory(said)
    rendered = RENDERER.render(one)
    trained = TOKENIZER.decode(rendered.input_ids[rendered.weights > 0].tolist())
    messages = [read(message, "axolotl") for row in rows([one], "axolotl") for message in row["messages"]]
    assert trained == "".join(f"{text}<|im_end|>" for _, text, weight in messages if weight)


def test_a_reflection_of_its_own_is_a_trained_message_and_what_answers_it_is_not() -> None:
    (row,) = rows([in_messages()], "axolotl")
    said = [(message["content"], message["train"]) for message in row["messages"]]
    place = said.index(("Thought: That did not help.", True))
    assert said[place + 1] == (GO_ON, False)


def test_what_trains_nothing_is_counted_and_left_out() -> None:
    count = Exported()
    nothing = trajectory([Said("error", "Thought: a\nAction: b")])
    assert len(list(flagged_rows([nothing, *sample()], "ms-swift", count))) == 3
    assert count == Exported(written=3, untrained=1)
    assert count.shortfall() == "; 1 left out, of which nothing would be trained"
    assert Exported(written=3).shortfall() == ""


def weighed(weights: list[float]) -> Trajectory:
    one = sample()[2]
    steps = [step.model_copy(update={"loss": weight}) for step, weight in zip(one.steps, weights, strict=True)]
    return one.model_copy(update={"steps": steps}).sealed()


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_answer_that_is_trained_in_part_is_refused_not_rounded(library: Library) -> None:
    with refusal("data_not_written") as caught:
        rows([weighed([0.0, 1.0, 0.0])], library)
    assert "boil/0, step 2" in caught.value.detail
    assert library in caught.value.detail


@given(weight=st.floats(0.01, 0.99))
def test_a_weight_between_is_for_the_library_that_has_weights(weight: float) -> None:
    one = weighed([0.0, weight, weight])
    assert rows([one], "llama-factory")[0]["messages"][-1]["loss_weight"] == weight
    for library in ("axolotl", "ms-swift"):
        with refusal("data_not_written"):
            rows([one], library)
