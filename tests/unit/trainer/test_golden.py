import io
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.react import GO_ON, Layout
from shared.store import TrajectoryStore
from tests.support.model_server import ModelServer, Refuse, Say, Script, model_server
from tests.support.scripted import Scripted
from trainer.collection import CollectionConfig
from trainer.experiment import Experiment
from trainer.golden import GoldenConfig, collect_golden
from trainer.recipe import Recipe
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.player import Golden


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


LINES = ("Thought: Go.\nAction: go to room 1\nObservation: made up", "Now: take it!", "take lamp")
LAMP = TaskInfo(id="lamp/1", split="train", type="lamp")


async def test_a_models_successes_are_kept_with_its_name_and_its_broken_answers_masked(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    tasks, model = [LAMP, TaskInfo(id="lamp/3", split="train", type="lamp")], Golden(Scripted(*LINES, author="m 1"))
    collected = await collect_golden("g", tasks, corridor, store, EpisodeConfig(), GoldenConfig(), player=model)
    assert (collected.finished, collected.kept) == (2, 1)
    (found,) = store.trajectories("g", kept=True)
    assert [(step.text, step.provenance, step.loss, step.role, step.author, step.token_ids) for step in found.steps] == [
        ("Thought: Go.\nAction: go to room 1", "golden", 1.0, "teacher", "m 1", None),
        ("Now: take it!", "error", 0.0, "teacher", "m 1", None),
        ("Thought: I try.\nAction: take lamp", "golden", 1.0, "teacher", "m 1", None),
    ]
    (failed,) = store.trajectories("g", kept=False)
    assert failed.outcome.cause == "context_overflow"
    other = Golden(Scripted(*LINES, author="m 2"))
    with pytest.raises(RestepError, match="author 'm 1', not 'm 2'"):
        await collect_golden("g", tasks, corridor, store, EpisodeConfig(), GoldenConfig(), player=other)


async def test_a_models_thought_alone_is_answered_where_reflections_are_messages(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    lines = ["Thought: Where is it?", "go to room 1", "take lamp"]
    model, config = Golden(Scripted(*lines)), GoldenConfig()
    await collect_golden("g", [LAMP], corridor, store, EpisodeConfig(), config, player=model, layout="message")
    (found,) = store.trajectories("g", kept=True)
    assert [(step.action, step.provenance, step.loss) for step in found.steps] == [
        (None, "error", 0.0), ("go to room 1", "golden", 1.0), ("take lamp", "golden", 1.0),
    ]  # fmt: skip
    assert (found.steps[0].text, found.steps[0].observation) == ("Thought: Where is it?", GO_ON)
    with pytest.raises(RestepError, match="prompt 'react-1-reflection-message', not 'react-1'"):
        await collect_golden("g", [LAMP], corridor, store, EpisodeConfig(), config, player=model)


async def golden(
    corridor: EnvironmentClient, runs: Path, served: ModelServer, layout: Layout = "turn", **config: Any
) -> Experiment:
    """The golden stage of a recipe whose player answers at ``served``."""
    recipe = Recipe.model_validate(
        {
            "name": "asked",
            "environments": {"corridor": {"url": corridor.base_url, "tasks": {"types": ["lamp"], "limit": 1}}},
            "golden": {"player": "endpoint", "endpoint": served.options().model_dump(), **config},
            "reflected": {"layout": layout},
            "arms": {"one": {"data": ["golden_u1"]}},
            "student": "one",
            "reference": "one",
        }
    )
    async with Experiment(recipe, runs, Console(file=io.StringIO())) as experiment:
        await experiment.golden()
    return experiment


def plays(text: str) -> Script:
    return lambda body: Say(text) if len(body["messages"]) == 2 else Refuse(400, code="context_length_exceeded")


async def test_a_model_behind_an_endpoint_plays_several_attempts_with_seeds_of_their_own(
    corridor: EnvironmentClient, tmp_path: Path
) -> None:
    async with model_server(plays("Thought: On.\nAction: go to room 1")) as served:
        experiment = await golden(corridor, tmp_path, served, collection={"attempts": 3, "concurrency": 1})
        with experiment.folder.store() as store:
            units = store.units("golden/corridor")
            found = next(iter(store.trajectories("golden/corridor")))
    assert [(unit.attempt, unit.kept, unit.steps) for unit in units] == [(0, False, 1), (1, False, 1), (2, False, 1)]
    assert (found.outcome.cause, found.steps[0].author) == ("context_overflow", "model:scripted")
    first, second = served.bodies[:2]
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    assert second["messages"][:2] == first["messages"]
    assert second["messages"][2]["content"] == "Thought: On.\nAction: go to room 1"
    assert second["messages"][1]["content"] == f"{found.task.goal}\n\nYou are in room 0."
    assert second["messages"][3]["content"] == found.steps[0].observation
    assert len({body["seed"] for body in served.bodies if len(body["messages"]) == 2}) == 3
    assert "response_format" not in first


async def test_a_model_behind_an_endpoint_is_told_to_go_on(corridor: EnvironmentClient, tmp_path: Path) -> None:
    async with model_server(plays("Thought: Where to?")) as served:
        experiment = await golden(corridor, tmp_path, served, "message")
        with experiment.folder.store() as store:
            (found,) = store.trajectories("golden/corridor")
    assert [(step.action, step.observation) for step in found.steps] == [(None, GO_ON)]
    told = [(message["role"], message["content"]) for message in served.bodies[1]["messages"][2:]]
    assert told == [("assistant", "Thought: Where to?"), ("user", GO_ON)]


async def test_the_budget_stops_the_collection_and_a_higher_one_goes_on(corridor: EnvironmentClient, tmp_path: Path) -> None:
    async with model_server(plays("Thought: On.\nAction: go to room 1")) as served:
        attempts: dict[str, Any] = {"collection": {"attempts": 3, "concurrency": 1}}
        with pytest.raises(RestepError, match=r"higher budget\.tokens") as caught:
            await golden(corridor, tmp_path, served, budget={"tokens": 110}, **attempts)
        assert caught.value.code == "budget_exhausted"
        experiment = await golden(corridor, tmp_path, served, budget={"tokens": 10_000}, **attempts)
        with experiment.folder.store() as store:
            assert len(store.units("golden/corridor")) == 3


@pytest.mark.parametrize(("config", "named"), [({"player": "endpoint"}, "endpoint: "), ({"budget": {"cost": 1.0}}, "prices: ")])
def test_a_player_that_is_not_told_enough_is_refused(config: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        GoldenConfig.model_validate(config)
