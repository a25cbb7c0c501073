import pytest

from shared.errors import RestepError
from shared.protocol import Decision, ExpertAdvice, StepResult, StepVerdict, observation_hash
from shared.react import Turn
from shared.trajectory import Step, TaskStamp
from tests.support.trajectories import Said, trajectory
from trainer.teacher.base import Advice, Situation, Verdict
from trainer.teacher.expert import ExpertTeacher, reflection

TEACHER = ExpertTeacher("house", "1.0")
RESULT = StepResult(
    seq=1,
    action="open door to kitchen",
    observation="The door is already open.",
    observation_hash=observation_hash("The door is already open."),
    reward=0.0,
    score=0.0,
    done=False,
    truncated=False,
    success=False,
    valid=True,
)


def situation(
    action: str = "open door to kitchen",
    history: list[Step] | None = None,
    result: StepResult | None = RESULT,
    advice: Advice | None = None,
) -> Situation:
    task = TaskStamp(id="boil/1", split="train", type="boil", goal="Boil water.")
    return Situation(task, "Act.", "A hallway.", history or [], Turn("t", action), result, advice, advice)


def giving(*actions: str, thought: str = "I go on.", verdict: StepVerdict | None = None) -> Advice:
    async def advice() -> ExpertAdvice:
        return ExpertAdvice(seq=1, actions=list(actions), thought=thought, reachable=bool(actions), verdict=verdict)

    return advice


def said(decision: Decision, reason: str, **changes: object) -> str:
    given = situation(**changes)  # pyright: ignore[reportArgumentType]  # the fields of a situation by name
    return reflection(given, Verdict("j", decision, reason), "go to greenhouse")


def test_a_reflection_says_what_was_wrong_and_what_to_do() -> None:
    wrong = "That did not help: the door to the kitchen was already open. I should go to greenhouse instead."
    assert said("needless", "the door to the kitchen was already open") == wrong
    assert said("needless", "The door to the kitchen was already open.") == wrong
    assert said("invalid", "") == "That was not understood. I should go to greenhouse instead."
    assert said("harmful", "it is cold now").startswith("That was a mistake: it is cold now.")
    assert said("fatal", "it is gone").startswith("That has ruined the task: it is gone.")


def test_a_step_that_was_not_carried_out_is_spoken_of_as_such() -> None:
    assert said("needless", "it is open", result=None).startswith("That would not help: it is open.")
    assert said("fatal", "it is gone", result=None).startswith("That would ruin the task: it is gone.")


def test_doing_the_same_in_vain_again_is_noticed() -> None:
    step = trajectory([Said("error", "Thought: t\nAction: look around")]).steps[0]
    carried_out = step.model_copy(update={"observation_hash": "0" * 16})
    again = "I did that before and it did not help: nothing new. I should go to greenhouse instead."
    assert said("needless", "nothing new", action="look around", history=[carried_out]) == again
    assert said("needless", "nothing new", action="look around", history=[step]).startswith("That did not help")
    assert said("harmful", "it is cold", action="look around", history=[carried_out]).startswith("That was a mistake")


def test_the_same_action_is_right_again_and_a_number_is_an_answer() -> None:
    verdict = Verdict("j", "harmful", "too early")
    assert reflection(situation("wait"), verdict, "wait").endswith("I should wait again.")
    assert reflection(situation("look at cup"), verdict, "0").endswith("I should answer 0 instead.")


async def test_judgement_is_the_environments_own() -> None:
    own = StepVerdict(decision="harmful", reason="it is cold now", distance_before=3, distance_after=5)
    verdict = await TEACHER.judge(situation(advice=giving("wait", verdict=own)))
    assert (verdict.judge, verdict.decision, verdict.reason) == ("expert:house 1.0", "harmful", "it is cold now")
    assert verdict.stamp().raw == {"distance_before": 3, "distance_after": 5}
    assert verdict.stamp().prompt_hash is None


async def test_a_repair_is_the_experts_next_action_with_its_thought() -> None:
    verdict = Verdict("j", "needless", "it was open")
    repair = await TEACHER.repair(situation(advice=giving("go to greenhouse", "wait", thought="I need a plant.")), verdict)
    assert repair is not None
    assert (repair.plan, repair.action) == ("I need a plant.", "go to greenhouse")
    silent = await TEACHER.repair(situation(advice=giving("go to greenhouse", thought="")), verdict)
    assert silent is not None
    assert silent.plan == "The next step is: go to greenhouse."
    assert silent.position != repair.position
    assert await TEACHER.repair(situation(advice=giving()), verdict) is None


async def test_without_privileged_facts_or_a_verdict_it_says_so() -> None:
    with pytest.raises(RestepError, match="not_supported"):
        await TEACHER.judge(situation())
    with pytest.raises(RestepError, match="not_supported"):
        await TEACHER.repair(situation(), Verdict("j", "needless", ""))
    with pytest.raises(RestepError, match="expert_failed"):
        await TEACHER.judge(situation(advice=giving("wait")))
