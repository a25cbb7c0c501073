"""The rule: distances and events in, a decision and its reason out."""

from __future__ import annotations

import pytest

from services.sciworld.house import Surroundings
from services.sciworld.plan import Deed, Plan
from services.sciworld.scratch import Event
from services.sciworld.simulator import NOT_UNDERSTOOD, Reply
from services.sciworld.verdict import Outlook, Step, as_planned, judge, limit
from shared.protocol import StepVerdict

KITCHEN = Surroundings(
    "kitchen",
    {"hallway": False, "outside": True},
    "This room is called the kitchen. In it, you see: \n\ta sink, which is turned off.\n\ta tin cup (containing nothing)\n",
)
HALLWAY = Surroundings("hallway", {"kitchen": True}, "This room is called the hallway. In it, you see: \n\ta picture\n")
START = Event("", Reply(KITCHEN.text, 0.0, completed=False), 0, KITCHEN, "In your inventory, you see:\n\tan orange\n")


def _event(action: str, reply: str, *, ticks: int = 1, here: Surroundings = KITCHEN, score: float = 0.0) -> Event:
    return Event(action, Reply(reply, score, completed=score == 1.0), ticks, here, START.inventory)


def _plan(*actions: str) -> Plan:
    return tuple(Deed(action, "kitchen") for action in actions)


PLAN = _plan("pick up apple seed", "move apple seed to pot", "wait")


def _judged(event: Event, after: Outlook, before: Outlook | None = None) -> StepVerdict:
    return judge(Step(before or Outlook(PLAN), after, (START, event)))


def test_the_next_action_of_the_plan_is_useful() -> None:
    verdict = as_planned(Outlook(PLAN), Outlook(PLAN[1:]))
    assert (verdict.decision, verdict.distance_before, verdict.distance_after) == ("useful", 3, 2)
    assert "reaches the goal" in as_planned(Outlook(PLAN[:1]), Outlook((), reached=True)).reason


def test_a_shorter_way_in_other_words_is_useful() -> None:
    verdict = _judged(_event("take the seed", "You move the seed to the inventory.", score=0.1), Outlook(PLAN[1:]))
    assert (verdict.decision, verdict.reason) == ("useful", "this fulfils a part of the task")


def test_time_saved_by_doing_something_else_is_no_merit() -> None:
    verdict = _judged(_event("pick up tin cup", "You move the tin cup to the inventory."), Outlook(PLAN[:2]))
    assert (verdict.decision, verdict.reason) == ("needless", "the tin cup is not needed for the task")


def test_a_look_that_shows_what_the_plan_needs_is_exploring_once() -> None:
    event = _event("look around", "This room is called the kitchen. In it, you see: \n\tan apple seed", ticks=0)
    verdict = _judged(event, Outlook(PLAN))
    assert (verdict.decision, verdict.reason) == ("exploring", "this shows the apple seed, which the task needs")
    again = judge(Step(Outlook(PLAN), Outlook(PLAN), (START, event, event)))
    assert (again.decision, again.reason) == ("needless", "this shows nothing new")


@pytest.mark.parametrize(
    ("action", "reply", "reason"),
    [
        ("open door to outside", "The door is already open.", "the door to the outside was already open"),
        ("open fridge", "The fridge is already open.", "the fridge was so already"),
        ("go to hallway", "The door is not open.", "the door to the hallway was not open"),
        ("go to kitchen", "It's not clear how to get there from here.", "this is the kitchen already"),
        ("go to workshop", "It's not clear how to get there from here.", "no door leads from the kitchen to the workshop"),
        ("pick up orange", "You move the orange to the inventory.", "the orange was in the inventory already"),
        ("pick up tin cup", "You move the tin cup to the inventory.", "the tin cup is not needed for the task"),
        ("wait", "You decide to wait for 10 iterations.", "nothing has to be waited for now"),
        ("move seed to pot", "Ambiguous request: Please enter", "the simulator cannot tell which one is meant and asks back"),
    ],
)
def test_what_changes_nothing_is_needless_and_says_why(action: str, reply: str, reason: str) -> None:
    verdict = _judged(_event(action, reply), Outlook(PLAN))
    assert (verdict.decision, verdict.reason) == ("needless", reason)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("sing a song", "this is not an action the simulator knows"),
        ("pick up apple", "there is no apple to be seen in the kitchen"),
        ("go to moon", "there is no door to the moon in the kitchen"),
        ("pour tin cup into sink", "the simulator does not know how to pour the tin cup into the sink here"),
        ("5", "the simulator did not ask for a number"),
    ],
)
def test_what_is_not_understood_is_invalid_and_says_why(action: str, reason: str) -> None:
    verdict = _judged(_event(action, NOT_UNDERSTOOD, ticks=0), Outlook(PLAN))
    assert (verdict.decision, verdict.reason) == ("invalid", reason)


def test_going_away_is_harmful() -> None:
    verdict = _judged(
        _event("go to hallway", "You move to the hallway.", here=HALLWAY), Outlook((Deed("go to kitchen", "hallway"), *PLAN))
    )
    assert (verdict.decision, verdict.reason) == ("harmful", "this moved away from the kitchen, where the task goes on")
    assert (verdict.distance_before, verdict.distance_after) == (3, 4)


def test_lost_time_is_not_harm() -> None:
    verdict = _judged(_event("wait", "You decide to wait for 10 iterations.", ticks=11), Outlook((*PLAN, *PLAN)))
    assert verdict.decision == "needless"
    worse = _judged(_event("look at tin cup", "a tin cup", ticks=1), Outlook((*PLAN, *PLAN)))
    assert worse.decision == "harmful"
    assert worse.reason == "too much time passed for the task: the way to the goal is 3 actions longer now"


def test_only_the_answer_left_is_harmful() -> None:
    verdict = _judged(_event("eat apple", "The apple was delicious."), Outlook(PLAN[:1], direct=True))
    assert verdict.decision == "harmful"
    assert "only the answer" in verdict.reason


def test_a_wrong_focus_is_fatal() -> None:
    verdict = _judged(_event("focus on sink", "You focus on the sink.", score=-1.0), Outlook(None, lost=True))
    assert verdict.decision == "fatal"
    assert verdict.reason.startswith("the sink is not what the task asks to focus on")


def test_no_continuation_is_fatal_and_counts_what_was_tried() -> None:
    verdict = _judged(_event("eat apple seed", "Delicious."), Outlook(None, tried=4))
    assert (verdict.decision, verdict.reason) == ("fatal", "none of 4 continuations tried reaches the goal after this")
    later = _judged(_event("wait", "You decide to wait."), Outlook(None, tried=1), before=Outlook(None))
    assert "before this step already" in later.reason


def test_a_way_found_again_is_useful() -> None:
    assert _judged(_event("wait", "You decide to wait."), Outlook(PLAN), before=Outlook(None)).decision == "useful"


def test_the_limit_makes_a_long_way_fatal_and_nothing_else() -> None:
    verdict = as_planned(Outlook(PLAN), Outlook(PLAN[1:]))
    assert limit(verdict, 2) == verdict
    late = limit(verdict, 1)
    assert late.decision == "fatal"
    assert late.reason.startswith("it was too late before this step already")
    wasted = _judged(_event("wait", "You decide to wait for 10 iterations."), Outlook(PLAN))
    assert limit(wasted, 3) == wasted
    assert limit(wasted, 2).reason == "this step came too late: the way to the goal takes 3 more actions and only 2 are left"
