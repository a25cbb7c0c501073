import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.react import parse_turn, turn_text
from trainer.teacher.answers import Correction, Review


def correction(**changes: str) -> Correction:
    return Correction.model_validate({"reflection": "It was shut.", "plan": "I open it.", "action": "open door"} | changes)


def test_texts_become_one_line_and_the_keyword_is_dropped() -> None:
    said = correction(reflection=" It was\n\x00\nshut. ", action="Action: open  door\n")
    assert (said.reflection, said.action) == ("It was shut.", "open door")


@pytest.mark.parametrize("changes", [{"reflection": " "}, {"action": "Action:"}, {"action": "x" * 401}, {"colour": "blue"}])
def test_what_cannot_be_written_into_an_answer_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        correction(**changes)


def test_a_review_must_say_whether_it_corrects() -> None:
    with pytest.raises(ValidationError):
        Review.model_validate({"reason": "r", "decision": "useful"})


TEXT = st.text(max_size=60)


@given(TEXT, TEXT, TEXT)
def test_whatever_a_model_writes_its_action_is_read_from_the_turn_again(reflection: str, plan: str, action: str) -> None:
    try:
        said = correction(reflection=reflection, plan=plan, action=action)
    except ValidationError:
        return
    assert all(text.isprintable() for text in (said.reflection, said.plan, said.action))
    turn = parse_turn(turn_text(f"{said.reflection} {said.plan}", said.action))
    assert (turn.action, turn.error) in [(said.action, None), (said.action, "no thought")]
