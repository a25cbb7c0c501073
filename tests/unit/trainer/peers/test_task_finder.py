"""Every numbering of the benchmarks' tasks that published trajectories use."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from services.sciworld.tasks import TaskTable
from shared.agentgym import LEFT_OUT
from shared.errors import RestepError
from shared.protocol import TaskInfo
from trainer.peers.conversation import Conversation, Form
from trainer.peers.task_finder import ETO_SCIWORLD_TASKS, TaskFinder, read_ids

TASK, TRIAL = "look_at_obj_in_light-Book-None-DeskLamp-301", "trial_T20190907_174127_043461"
GAME = TaskInfo(id=f"train/{TASK}/{TRIAL}", split="train", type="look_at_obj_in_light")


def conversation(form: Form, name: str, game_file: str | None = None) -> Conversation:
    return Conversation(form, name, game_file, None, "", ())


def sciworld() -> TaskFinder:
    return TaskFinder("sciworld", list(TaskTable().select(None, None)), {})


@pytest.mark.parametrize(
    "found",
    [
        conversation("agentgym", f"{TASK}_{TRIAL}"),
        conversation("eto", "3", f"data/json_2.1.1/train/{TASK}/{TRIAL}/game.tw-pddl"),
        conversation("eto", GAME.id),
    ],
)
def test_alfworld_by_task_and_trial(found: Conversation) -> None:
    assert TaskFinder("alfworld", [GAME], {}).find(found) == GAME.id


def test_alfworld_by_agentgyms_own_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mappings_train.json"
    path.write_bytes(orjson.dumps([{"item_id": 7, "task_type": TASK, "task_id": TRIAL}]))
    finder = TaskFinder("alfworld", [GAME], read_ids(path))
    assert finder.find(conversation("agentgym", "alfworld_7")) == GAME.id
    with pytest.raises(RestepError, match="--ids"):
        finder.find(conversation("agentgym", "alfworld_8"))


def test_sciworld_by_etos_names_and_by_agentgyms_count() -> None:
    finder = sciworld()
    assert finder.find(conversation("eto", "0_3")) == "boil/3"
    assert finder.find(conversation("eto", "14_20")) == "find-plant/20"
    assert finder.find(conversation("agentgym", "sciworld_0")) == "boil/0"
    assert finder.find(conversation("agentgym", "sciworld_30")) == "melt/0"
    for unknown in (conversation("eto", "30_0"), conversation("agentgym", "sciworld_4639")):
        with pytest.raises(RestepError, match="unknown_task"):
            finder.find(unknown)


def test_the_tables_name_tasks_that_there_are() -> None:
    tasks = TaskTable().select(None, None)
    types = {task.type for task in tasks}
    assert set(ETO_SCIWORLD_TASKS) == types
    assert LEFT_OUT["sciworld"] < types
    assert sum(task.type not in LEFT_OUT["sciworld"] for task in tasks) == 4639


def test_webshop_by_goal_number() -> None:
    finder = TaskFinder("webshop", [], {})
    assert finder.find(conversation("agentgym", "webshop_1500")) == "synthetic-1500"
    assert finder.find(conversation("eto", "4116")) == "human-4116"
    assert finder.find(conversation("eto", "synthetic-3")) == "synthetic-3"
    with pytest.raises(RestepError, match="unknown_task"):
        finder.find(conversation("eto", "a shirt"))


def test_given_ids_come_first(tmp_path: Path) -> None:
    path = tmp_path / "ids.json"
    path.write_text('{"x": "boil/2"}')
    finder = TaskFinder("sciworld", [], read_ids(path))
    assert finder.find(conversation("eto", "x")) == "boil/2"


@pytest.mark.parametrize(("content", "code"), [("[1]", "data_corrupt"), ("{", "data_corrupt"), (None, "data_not_found")])
def test_a_file_of_ids_that_is_none_is_named(tmp_path: Path, content: str | None, code: str) -> None:
    path = tmp_path / "ids.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RestepError, match=r"ids\.json") as caught:
        read_ids(path)
    assert caught.value.code == code
