import pytest

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.store import TrajectoryStore
from trainer.collection import CollectionConfig
from trainer.golden import GoldenConfig, collect_golden
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks


async def test_the_expert_plays_every_task_with_its_thoughts(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    tasks = await select_tasks(corridor, TaskSelection(split="train"))
    collected = await collect_golden("d1", tasks, corridor, store, EpisodeConfig(), GoldenConfig())
    assert (collected.finished, collected.kept, collected.succeeded, collected.failed) == (8, 8, 8, 0)
    for trajectory in store.trajectories("d1", kept=True):
        room = int(trajectory.task.id.split("/")[1])
        assert [step.action for step in trajectory.steps] == [*(f"go to room {n + 1}" for n in range(room)), "take lamp"]
        assert {(step.role, step.provenance, step.loss) for step in trajectory.steps} == {("expert", "golden", 1.0)}
        assert {step.author for step in trajectory.steps} == {"expert:corridor 1"}
        assert trajectory.steps[0].thought == f"I need room {room} for the lamp, so I go to room 1."
        assert trajectory.steps[0].text == f"Thought: {trajectory.steps[0].thought}\nAction: go to room 1"
        assert trajectory.task.goal == f"Take the lamp from room {room}."
        assert trajectory.outcome.success
    assert (await corridor.info()).sessions == 0


async def test_what_the_expert_cannot_finish_in_time_is_not_for_training(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    tasks = await select_tasks(corridor, TaskSelection(split="train", types=["lamp"]))
    collected = await collect_golden("d1", tasks, corridor, store, EpisodeConfig(max_steps=4), GoldenConfig())
    assert (collected.finished, collected.kept, collected.succeeded) == (4, 2, 2)
    assert {t.task.id for t in store.trajectories("d1", kept=True)} == {"lamp/1", "lamp/3"}
    assert {t.outcome.ended for t in store.trajectories("d1", kept=False)} == {"truncated"}


async def test_a_run_is_not_continued_under_another_protocol(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    tasks = await select_tasks(corridor, TaskSelection(split="train", limit=1))
    await collect_golden("d1", tasks, corridor, store, EpisodeConfig(), GoldenConfig())
    with pytest.raises(RestepError, match="step limit 12, not 9"):
        await collect_golden("d1", tasks, corridor, store, EpisodeConfig(max_steps=9), GoldenConfig())


async def test_an_unknown_task_stops_the_collection(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    task = TaskInfo(id="lamp/99", split="train", type="lamp")
    config = GoldenConfig(collection=CollectionConfig(tries=1))
    with pytest.raises(RestepError, match="unknown_task"):
        await collect_golden("d1", [task], corridor, store, EpisodeConfig(), config)
