from dataclasses import replace

import pytest

from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.trajectories import Said, trajectory
from tests.unit.trainer.teacher.test_expert import RESULT, giving, situation
from trainer.teacher.reference import ExpertReference, GoldenReference, NoReference, golden_actions


async def test_nothing_is_told_without_a_reference() -> None:
    assert list(await NoReference().lines(situation(advice=giving("wait")))) == []


async def test_the_experts_way_is_told_before_the_step_and_after_it() -> None:
    judged = replace(situation(advice=giving("wait")), before=giving("open door", "wait"))
    assert list(await ExpertReference().lines(judged)) == [
        "Before the latest step: From here an expert would go on so (2 actions): open door; wait",
        "From here an expert would go on so (1 actions): wait",
    ]


async def test_before_a_step_is_carried_out_there_is_one_way() -> None:
    judged = replace(situation(result=None, advice=giving("wait")), before=giving("wait"))
    assert len(await ExpertReference().lines(judged)) == 1


async def test_after_the_end_nobody_goes_on() -> None:
    ended = replace(
        situation(result=RESULT.model_copy(update={"done": True}), advice=giving("wait")), before=giving("open door")
    )
    assert [line[:6] for line in await ExpertReference().lines(ended)] == ["Before"]


async def test_without_privileged_facts_it_says_so() -> None:
    with pytest.raises(RestepError, match="not_supported"):
        await ExpertReference().lines(situation())


async def test_a_golden_trajectory_is_told_without_what_was_not_understood(store: TrajectoryStore) -> None:
    document = trajectory([Said("golden", "Thought: t\nAction: a")] * 3)
    names = [("open door", True), ("opne door", False), ("wait", None)]
    steps = [
        step.model_copy(update={"action": name, "valid": valid})
        for step, (name, valid) in zip(document.steps, names, strict=True)
    ]
    task = document.task.model_copy(update={"id": "boil/1"})
    store.commit(document.model_copy(update={"steps": steps, "task": task, "run": "golden/house"}).sealed(), kept=True)
    (held,) = store.trajectories("golden/house")
    assert golden_actions(held) == ["open door", "wait"]
    reference = await GoldenReference.of_run(store, "golden/house")
    assert list(await reference.lines(situation())) == ["From its beginning, the task was solved so: open door; wait"]
    assert list(await (await GoldenReference.of_run(store, "golden/elsewhere")).lines(situation())) == []
