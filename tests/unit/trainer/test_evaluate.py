import pytest

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.react import GO_ON
from shared.store import TrajectoryStore
from tests.support.scripted import Scripted
from trainer.bootstrap import BootstrapConfig
from trainer.collection import CollectionConfig
from trainer.evaluate import EvaluateConfig, Evaluation, average, compare, compare_averages, evaluate, summarise
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks

QUICK = EvaluateConfig(bootstrap=BootstrapConfig(resamples=200))
WALK = [f"go to room {n}" for n in range(1, 5)]


async def played(client: EnvironmentClient, store: TrajectoryStore, run: str, *texts: str) -> Evaluation:
    tasks = await select_tasks(client, TaskSelection(split="test", types=["lamp"]))
    return await evaluate(run, tasks, client, Scripted(*texts, author=run), store, EpisodeConfig(), QUICK)


async def test_figures_of_episodes_that_can_be_counted_by_hand(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    # Rooms 2, 4, 6, 8: the second task is solved; in the first "go to room 3" and 4 lead nowhere; then no room is left.
    result = await played(corridor, store, "one", *WALK, "take lamp", "dance", "dance")
    by_task = {one.task_id: one for one in result.results}
    solved, first = by_task["lamp/4"], by_task["lamp/2"]
    assert (solved.success, solved.score, solved.steps, solved.ended, solved.cause) == (True, 1.0, 5, "done", None)
    assert (first.success, first.score, first.steps, first.ended, first.cause) == (True, 1.0, 5, "done", None)
    lost = by_task["lamp/6"]
    assert (lost.success, lost.score, lost.steps, lost.cause) == (False, 4 / 7, 7, "context_overflow")
    assert (lost.invalid_share, lost.repeated_share, lost.format_failures) == (3 / 7, 1 / 7, 0)
    assert result.metrics["success"].mean == 0.5
    assert result.metrics["score"].mean == pytest.approx((1 + 1 + 4 / 7 + 4 / 9) / 4)
    assert (result.episodes, result.missing, result.context_overflows) == (4, [], 2)
    assert result.by_type["lamp"]["success"] == 0.5
    assert result.checkpoint == "one"
    assert result.protocol.max_steps == 12
    assert {step.provenance for t in store.trajectories("one") for step in t.steps} == {"student"}


async def test_a_negative_score_counts_as_such_and_once_clipped(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    result = await played(corridor, store, "one", "go to room 1", "smash lamp")
    assert result.metrics["score"].mean == -1.0
    assert result.metrics["score_clipped"].mean == 0.0


async def test_format_failures_are_counted(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    result = await played(corridor, store, "one", "Thought: where to?", "Action: go to room 1")
    assert result.metrics["format_failures"].mean == 2.0
    assert result.metrics["invalid_share"].mean == 0.5


async def test_a_thought_alone_is_answered_where_reflections_are_messages(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    tasks = [TaskInfo(id="lamp/2", split="test", type="lamp")]
    texts = ["go to room 1", "Thought: On.", "go to room 2", "Thought: On.", "Thought: On.", "take lamp"]
    messages, turns = [
        await evaluate(layout, tasks, corridor, Scripted(*texts), store, EpisodeConfig(), QUICK, layout=layout)
        for layout in ("message", "turn")
    ]
    counts = [(one.results[0].steps, one.results[0].success, one.results[0].format_failures) for one in (messages, turns)]
    assert counts == [(4, True, 1), (6, True, 3)]
    (found,) = store.trajectories("message")
    assert [(step.action, step.observation) for step in found.steps] == [
        ("go to room 1", "You are in room 1."), (None, GO_ON), ("go to room 2", "You are in room 2. There is a lamp."),
        (None, GO_ON), ("Thought: On.", "That is not possible here."), ("take lamp", "You take the lamp."),
    ]  # fmt: skip
    assert {(step.provenance, step.loss) for step in found.steps} == {("student", 1.0)}
    assert [one.protocol.prompt_version for one in (messages, turns)] == ["react-1-reflection-message", "react-1"]
    with pytest.raises(RestepError, match="different protocols"):
        compare(messages, turns, QUICK.bootstrap)


async def test_a_result_survives_json_and_can_be_computed_again_from_the_store(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    result = await played(corridor, store, "one", *WALK)
    assert Evaluation.model_validate_json(result.model_dump_json()) == result
    tasks = await select_tasks(corridor, TaskSelection(split="test", types=["lamp"]))
    assert summarise("one", tasks, store, QUICK) == result
    assert (await played(corridor, store, "one", *WALK)) == result


async def test_arms_are_compared_task_by_task(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    worse = await played(corridor, store, "one", "wait")
    better = await played(corridor, store, "two", *WALK, "take lamp")
    difference = compare(worse, better, QUICK.bootstrap)
    assert difference["success"].mean == 0.5
    assert difference["success"].n == 4
    assert compare(worse, worse, QUICK.bootstrap)["score"].low == compare(worse, worse, QUICK.bootstrap)["score"].high == 0.0


async def test_different_protocols_are_not_compared(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    one = await played(corridor, store, "one", "wait")
    tasks = await select_tasks(corridor, TaskSelection(split="test", types=["lamp"]))
    two = await evaluate("two", tasks, corridor, Scripted("wait"), store, EpisodeConfig(max_steps=3), QUICK)
    with pytest.raises(RestepError, match="different protocols"):
        compare(one, two, QUICK.bootstrap)
    with pytest.raises(RestepError, match="different protocols"):
        compare_averages([(one, one), (one, two)], "score", QUICK.bootstrap)


async def test_over_several_environments_each_counts_the_same(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    four = await played(corridor, store, "four", *WALK, "take lamp")
    tasks = await select_tasks(corridor, TaskSelection(split="test", limit=1))
    one = await evaluate("one", tasks, corridor, Scripted("wait"), store, EpisodeConfig(), QUICK)
    mean = average([four, one], "success", QUICK.bootstrap)
    assert (mean.mean, mean.n) == ((0.5 + 0.0) / 2, 5)
    worse = await played(corridor, store, "worse", "wait")
    difference = compare_averages([(worse, four), (one, one)], "success", QUICK.bootstrap)
    assert (difference.mean, difference.n) == (0.25, 5)


async def test_a_run_of_another_checkpoint_is_not_continued(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    tasks = await select_tasks(corridor, TaskSelection(split="test", limit=1))
    await evaluate("one", tasks, corridor, Scripted("wait", author="a"), store, EpisodeConfig(), QUICK)
    with pytest.raises(RestepError, match="author 'a', not 'b'"):
        await evaluate("one", tasks, corridor, Scripted("wait", author="b"), store, EpisodeConfig(), QUICK)


async def test_attempts_are_averaged_within_their_task(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    tasks = await select_tasks(corridor, TaskSelection(split="test", types=["lamp"]))
    twice = QUICK.model_copy(update={"collection": CollectionConfig(attempts=2)})
    result = await evaluate("one", tasks, corridor, Scripted(*WALK, "take lamp"), store, EpisodeConfig(), twice)
    assert (result.episodes, result.metrics["success"].n) == (8, 4)


async def test_no_episode_at_all_is_an_error(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    tasks = await select_tasks(corridor, TaskSelection(split="test"))
    with pytest.raises(RestepError, match="data_not_found"):
        summarise("none", tasks, store, QUICK)
