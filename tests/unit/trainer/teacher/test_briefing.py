from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.trajectory import Step
from tests.support.trajectories import Said, in_messages, trajectory
from tests.unit.trainer.teacher.test_expert import situation
from trainer.teacher.base import Verdict
from trainer.teacher.briefing import Briefing, continuation
from trainer.teacher.prompts import Call, load_prompts

CALLS: tuple[Call, ...] = ("judge", "repair", "combined")
BAD = Verdict("j", "needless", "It was open.")


def briefing(**changes: Any) -> Briefing:
    given: dict[str, Any] = {"prompts": load_prompts("sciworld"), "timing": "after", "private": False}
    return Briefing(**given | changes)


def asked(given: Briefing, call: Call = "judge", history: list[Step] | None = None, **rest: Any) -> str:
    return given.messages(call, situation(history=history), **rest)[-1].text


def test_the_question_comes_last_and_tells_task_step_and_what_followed() -> None:
    messages = briefing().messages("judge", situation())
    assert [message.role for message in messages[:3]] == ["system", "user", "assistant"]
    assert messages[-1].text == (
        "## Task\nBoil water.\n\n## Episode so far\nObservation: A hallway.\n\n"
        "## Latest step\nThought: t\nAction: open door to kitchen\n\n## What followed\nThe door is already open."
    )


def test_the_opening_is_the_same_for_every_situation() -> None:
    for call in CALLS:
        opening = briefing().opening(call, "Act.")
        assert briefing().messages(call, situation("wait"), verdict=BAD)[:-1] == opening
        assert opening[0].text.endswith("The student was told:\nAct.")


def test_judged_before_nothing_is_told_of_what_followed() -> None:
    given = briefing(timing="before")
    messages = given.messages("judge", situation(result=None))
    assert "What followed" not in "".join(message.text for message in messages[1:])
    assert "has not been carried out" in messages[0].text


def test_a_reference_is_told_and_shown_in_examples_only_where_it_is_on() -> None:
    told = briefing(private=True).messages("judge", situation(), ["From here: wait"])
    assert told[-1].text.endswith("## Private reference\nFrom here: wait")
    assert "## Private reference" in told[1].text
    assert "never sees it" in told[0].text
    assert "reference" not in "".join(message.text for message in briefing().opening("judge", "Act.")).lower()


def test_a_repair_is_told_the_verdict() -> None:
    assert asked(briefing(), "repair", verdict=BAD).endswith("## Verdict\nneedless: It was open.")
    silent = replace(BAD, reason="")
    assert asked(briefing(), "repair", verdict=silent).endswith("## Verdict\nneedless")


def test_reflection_and_correction_are_one_answer_and_old_steps_may_be_left_out() -> None:
    steps = trajectory(
        [
            Said("error", "Thought: a\nAction: look around", "One."),
            Said("reflection", "Thought: Wrong."),
            Said("correction", " Better.\nAction: look around", "Two."),
        ]
    ).steps
    whole = asked(briefing(), history=steps)
    assert "Thought: Wrong. Better.\nAction: look around\nObservation: Two." in whole
    assert "One." in whole
    assert "One." not in asked(briefing(history=1), history=steps)
    assert "Two." in asked(briefing(history=1), history=steps)
    assert "Two." not in asked(briefing(history=0), history=steps)


def test_a_reflection_of_its_own_is_shown_as_it_was_said_and_counts_with_its_correction() -> None:
    steps = in_messages().steps
    whole = asked(briefing(), history=steps)
    assert "Thought: That did not help.\nObservation: Go on.\n\nThought: I take the cup.\nAction: pick up cup\n" in whole
    told = [asked(briefing(history=most), history=steps) for most in (0, 1, 2, 3)]
    firsts = ["## Latest step", "Thought: I have it now.", "Thought: That did not help.", "Thought: I eat the cup."]
    assert [text.partition("Observation: A hallway.\n\n")[2].splitlines()[0] for text in told] == firsts
    assert told[3] == whole
    assert "Thought: I have it now.\nObservation: Go on.\n\n## Latest" in asked(briefing(history=0), history=steps[:4])


def test_a_fatal_step_that_was_carried_out_is_not_repaired_in_examples() -> None:
    count = {timing: len(briefing(timing=timing).opening("repair", "Act.")) for timing in ("after", "before")}
    assert count["before"] == count["after"] + 2


def test_a_broken_format_is_told() -> None:
    broken = situation()
    broken = replace(broken, turn=replace(broken.turn, error="no thought"))
    assert "(The answer breaks the format: no thought.)" in briefing().messages("judge", broken)[-1].text


def test_the_hash_is_of_all_that_is_said_before_the_situation() -> None:
    given = briefing().prompt_hash(["judge", "repair"], "Act.")
    assert given == briefing().prompt_hash(["judge", "repair"], "Act.")
    others = [
        briefing().prompt_hash(["combined", "repair"], "Act."),
        briefing().prompt_hash(["judge", "repair"], "Act!"),
        briefing(private=True).prompt_hash(["judge", "repair"], "Act."),
        briefing(timing="before").prompt_hash(["judge", "repair"], "Act."),
        briefing(prompts=load_prompts("webshop")).prompt_hash(["judge", "repair"], "Act."),
    ]
    assert len({given, *others}) == 6


@given(st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=20))
def test_a_long_way_is_cut_and_says_how_long_it_is(actions: list[str]) -> None:
    told = continuation(actions)
    assert f"({len(actions)} actions): {actions[0]}" in told
    assert told.endswith("; ...") == (len(actions) > 12 or actions[-1] == "..." or "; ".join(actions).endswith("; ..."))


def test_no_way_is_said_to_be_none() -> None:
    assert "no way" in continuation([])
