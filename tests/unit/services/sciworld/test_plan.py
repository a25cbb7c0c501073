"""What could lead back: the candidates and their order."""

from __future__ import annotations

from services.sciworld.contents import Contents, Place
from services.sciworld.plan import Deed, Plan, actions_of, alternatives, annotate, candidates, direct, same_deed, thing
from services.sciworld.thoughts import parse_action


def _plan(*actions: str, room: str = "kitchen") -> Plan:
    return tuple(Deed(action, room) for action in actions)


def _tried(plan: Plan, action: str, *, history: Plan = (), menu: int = 0, done: bool = True) -> list[list[str]]:
    found = candidates(plan, Deed(action, "kitchen"), history, plan, menu=menu, done=done)
    return [actions_of(candidate.plan) for candidate in found]


def test_rooms_follow_the_ways() -> None:
    plan = annotate(["open door to kitchen", "go to kitchen", "pick up cup", "teleport to foundry", "wait"], "hallway")
    assert [deed.room for deed in plan] == ["hallway", "hallway", "kitchen", "kitchen", "foundry"]


def test_a_place_in_a_name_is_no_part_of_the_thing() -> None:
    assert thing("thermometer in inventory") == "thermometer"
    assert same_deed(parse_action("pick up tin cup"), parse_action("pick up tin cup in cupboard"))
    assert not same_deed(parse_action("pick up tin cup"), parse_action("pick up metal pot"))


def test_what_was_foreseen_is_left_out_first() -> None:
    plan = _plan("look around", "pick up thermometer", "open freezer")
    assert _tried(plan, "pick up thermometer")[0] == ["look around", "open freezer"]


def test_another_thing_takes_the_place_of_the_planned_one() -> None:
    plan = _plan("focus on blue jay", "pick up blue jay", "move egg blue jay egg in inventory to red box")
    assert _tried(plan, "focus on dove")[0] == ["pick up dove", "move dove to red box"]


def test_an_unforeseen_action_leaves_the_plan_as_it_is_and_may_be_undone() -> None:
    plan = _plan("use thermometer on water")
    tried = _tried(plan, "deactivate stove")
    assert tried[0] == ["use thermometer on water"]
    assert tried[1] == ["activate stove", "use thermometer on water"]


def test_a_thing_taken_from_its_place_goes_back_there() -> None:
    history = _plan("move metal pot to sink", "move metal pot to stove")
    assert ["move metal pot to stove", "wait"] in _tried(_plan("wait"), "pick up metal pot", history=history)


def test_broken_contacts_are_made_again() -> None:
    history = _plan("connect battery anode to blue wire terminal 1", "connect red wire terminal 1 to cathode in buzzer")
    tried = _tried(_plan("wait1"), "connect blue wire terminal 1 to agent", history=history)
    assert ["disconnect agent", "disconnect blue wire", "connect battery anode to blue wire terminal 1", "wait1"] in tried


def test_a_question_is_answered_by_its_numbers_only() -> None:
    assert _tried(_plan("wait"), "move seed to pot", menu=5) == [["0", "wait"], ["1", "wait"]]
    assert _tried(_plan("move seed to pot", "wait"), "move seed to pot", menu=1) == [["0", "wait"]]


def test_a_swallowed_action_was_not_done() -> None:
    assert _tried(_plan("look around", "wait"), "look around", done=False)[0] == ["look around", "wait"]


def test_a_question_that_was_not_answered_is_provoked_again() -> None:
    tried = _tried(_plan("0", "wait"), "look around", history=_plan("move seed to pot"), done=False)
    assert tried[0] == ["move seed to pot", "0", "wait"]


def test_any_number_answers_for_the_planned_one() -> None:
    assert _tried(_plan("0", "wait"), "3")[0] == ["wait"]


def test_the_answer_alone_comes_last() -> None:
    plan = _plan("look at plane", "focus on seed", "0")
    last = list(candidates(plan, Deed("wait", "kitchen"), (), plan, menu=0, done=True))[-1]
    assert last.direct
    assert actions_of(last.plan) == ["focus on seed", "0"]
    assert direct(()).plan == ()


def test_last_resorts_come_after_everything_else() -> None:
    plan = _plan("look at stove", "deactivate stove", "wait")
    found = list(candidates(plan, Deed("deactivate stove", "kitchen"), (), plan, menu=0, done=True))
    assert [candidate.resort for candidate in found] == [False, False, False, True, True, True]


def test_any_living_thing_at_hand_may_take_the_place_of_a_lost_one() -> None:
    plan = _plan("look around", "focus on moth", "pick up moth", "move moth in inventory to red box")
    contents = Contents(
        [
            Place("dove", "kitchen", (), (), carried=False, alive=True),
            Place("ant", "kitchen", ("jar",), ("jar",), carried=False, alive=True),
            Place("bear", "outside", (), (), carried=False, alive=True),
            Place("moth", "kitchen", (), (), carried=False, alive=False),
        ]
    )
    found = [actions_of(candidate.plan) for candidate in alternatives(plan, contents)]
    assert found == [["focus on dove", "pick up dove", "move dove to red box"]]
    assert list(alternatives(_plan("wait"), contents)) == []
