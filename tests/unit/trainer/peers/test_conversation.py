"""Both published shapes are read for what they say; a broken entry is refused with the turn named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from tests.support.published import as_agentgym, as_eto
from tests.support.trajectories import Said, trajectory
from trainer.peers.conversation import Entry, entries, read_conversation, shown


def read(body: object) -> Any:
    return read_conversation(Entry(Path("f.json"), 1, body))


def refused(body: object) -> str:
    with pytest.raises(RestepError) as caught:
        read(body)
    assert caught.value.code == "invalid_trajectory"
    return caught.value.detail


def talk(*turns: tuple[str, str], **fields: Any) -> dict[str, Any]:
    return {"id": 1, "conversations": [{"from": who, "value": text} for who, text in turns], **fields}


TWO = trajectory([Said("golden", "", "A desk.\n\tA lamp."), Said("golden", "", "Done.")], observation="A room.")


@pytest.mark.parametrize("body", [as_agentgym(TWO, "webshop_7"), as_agentgym(TWO, "webshop_7", listed=True)])
def test_agentgym_flags_keywords_on_lines_of_their_own_and_lists_of_actions(body: dict[str, Any]) -> None:
    found = read(body)
    assert (found.form, found.id, found.reward) == ("agentgym", "webshop_7", None)
    assert found.opening == "A room.\nYour task is to boil water."
    assert [(m.turn.thought, m.turn.action, m.turn.error) for m in found.moves] == [("t", "look around", None)] * 2
    assert [m.observation for m in found.moves] == ["A desk.\n\tA lamp.", None]
    assert [m.trained for m in found.moves] == [True, True]


def test_eto_without_flags_and_with_its_fields() -> None:
    found = read(as_eto(TWO, id="0_12", reward=0.75, game_file="x/y/game.tw-pddl"))
    assert (found.form, found.id, found.reward, found.game_file) == ("eto", "0_12", 0.75, "x/y/game.tw-pddl")
    assert found.opening == "A room.\n\nYour task is to boil water."
    assert [m.observation for m in found.moves] == ["A desk.\n\tA lamp.", None]
    assert all(m.trained for m in found.moves)


def test_the_task_may_follow_the_instructions_in_one_turn() -> None:
    found = read(talk(("human", "Instructions. Boil water."), ("gpt", "Thought: a\nAction: b")))
    assert found.opening == "Instructions. Boil water."
    assert len(found.moves) == 1


def test_chat_roles_are_read_as_well() -> None:
    body = {
        "id": 1,
        "conversations": [{"role": "user", "content": "Go."}, {"role": "assistant", "content": "Thought: a\nAction: b"}],
    }
    assert read(body).moves[0].turn.action == "b"


def test_a_flag_that_masks_an_answer_and_a_broken_format_are_not_trained() -> None:
    body = as_agentgym(TWO, 1)
    body["conversations"][3]["loss"] = False
    assert [m.trained for m in read(body).moves] == [False, True]
    found = read(talk(("human", "Go."), ("gpt", "Action:\ngo")))
    assert [(m.turn.error, m.trained) for m in found.moves] == [("no thought", False)]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("text", "dictionary"),
        (b"{", "not JSON"),
        ({"id": 1, "prompt": [], "chosen": []}, "conversations"),
        ({"id": 1, "conversations": []}, "conversations"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "which task"),
        (talk(("human", "Go."), ("gpt", "OK")), "no turn has an action"),
        (talk(("gpt", "Thought: a\nAction: b")), "turn 1: the first action answers no human turn"),
        (talk(("human", "Go."), ("gpt", "Action: a"), ("human", "b"), ("gpt", "I am lost")), "turn 4 has no action"),
        (talk(("human", "Go."), ("gpt", "Action: a"), ("gpt", "Action: b")), "turn 3 should be an observation"),
        (talk(("human", "Go."), ("gpt", "Action: a"), ("human", "b"), ("human", "c")), "turn 4 should be the model's"),
        (talk(("human", "Go."), ("tool", "Action: a")), "turn 2: no speaker 'tool'"),
    ],
)
def test_a_broken_entry_is_refused_with_its_reason(body: object, complaint: str) -> None:
    assert complaint in refused(body)


def test_lists_single_entries_and_lines_are_read_with_their_numbers(tmp_path: Path) -> None:
    one, two = as_eto(TWO, id=1), as_eto(TWO, id=2)
    path = tmp_path / "x.json"
    path.write_bytes(orjson.dumps([one, two], option=orjson.OPT_INDENT_2))
    assert [(entry.number, str(entry)) for entry in entries(path)] == [(1, "x.json, entry 1"), (2, "x.json, entry 2")]
    path.write_bytes(orjson.dumps(one))
    assert [entry.body for entry in entries(path)] == [one]
    path.write_bytes(orjson.dumps(one) + b"\n\n{broken\n" + orjson.dumps(two) + b"\n")
    assert [(entry.number, entry.body) for entry in entries(path)] == [(1, one), (3, b"{broken"), (4, two)]


@pytest.mark.parametrize("content", [b"", b"[{", b"hello\n"])
def test_a_file_that_is_neither_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(RestepError, match=r"x\.json: no JSON") as caught:
        list(entries(path))
    assert caught.value.code == "data_corrupt"
    with pytest.raises(RestepError, match="data_not_found"):
        list(entries(tmp_path / "absent.json"))


@given(st.text().filter(lambda text: "bservation:" not in text and "vailable" not in text.lower()))
def test_what_a_client_lays_around_an_observation_comes_off_and_nothing_else(text: str) -> None:
    assert shown(text) == text.strip()
    assert shown(f"Observation: {text}\nAVAILABLE ACTIONS: a,b") == text.strip()
    assert shown(f"Observation:\n{text}\n\nAvailable Actions:\n['a', 'b']") == text.strip()
