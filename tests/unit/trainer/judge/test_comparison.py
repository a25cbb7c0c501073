"""Verdicts of a teacher whose mistakes are known, beside the corridor's exact expert."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.mistaken import Mistaken
from tests.support.scripted import Scripted
from trainer.judge.comparison import ComparisonFile, compare, compare_all
from trainer.progress import Progress
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig
from trainer.teacher.base import Teacher
from trainer.teacher.expert import ExpertTeacher

LINES = ("go to room 1", "wait", "go to room 2", "dance", "go to room 3", "take lamp")
TEACHER = Mistaken({"wait": "useful", "go to room 2": "harmful", "dance": "invalid"}, cure="wait")
TASKS = [TaskInfo(id=f"lamp/{size}", split="train", type="lamp") for size in (3, 5)]


async def reflected(
    corridor: EnvironmentClient, store: TrajectoryStore, teacher: Teacher = TEACHER, **options: object
) -> list[Trajectory]:
    believed = {"privileged": teacher is not TEACHER, "per_episode": 1.0, "check_corrections": False}
    config = ReflectConfig.model_validate(believed | options)
    await collect_reflected("r", TASKS, corridor, Scripted(*LINES), teacher, store, EpisodeConfig(), config)
    return list(store.trajectories("r"))


async def test_each_verdict_stands_beside_the_experts(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    one = (await reflected(corridor, store))[0]
    found = await compare(one, corridor)
    assert (found.trajectory, found.environment, found.task) == (one.id, "corridor", "lamp/3")
    assert [(step.kind, step.judge, step.said, step.expert) for step in found.steps] == [
        ("verdict", "mistaken", "useful", "useful"),
        ("verdict", "mistaken", "useful", "needless"),  # a miss
        ("verdict", "mistaken", "harmful", "useful"),  # a false alarm
        ("correction", "mistaken", None, "needless"),  # which does not help
        ("verdict", "mistaken", "invalid", "invalid"),
        ("correction", "mistaken", None, "needless"),
        ("verdict", "mistaken", "useful", "useful"),
        ("verdict", "mistaken", "useful", "useful"),
    ]
    assert (await corridor.info()).sessions == 0


async def test_a_step_that_was_held_back_is_tried_in_a_fork(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    one = (await reflected(corridor, store, judge="before"))[0]
    held_back = [step.index for step in one.steps if step.observation_hash is None and step.action]
    found = {step.index: (step.said, step.expert) for step in (await compare(one, corridor)).steps}
    assert [found[index] for index in held_back] == [("harmful", "useful"), ("invalid", "invalid")]


async def test_a_correction_that_was_rejected_while_playing_is_a_correction_here(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    one = (await reflected(corridor, store, check_corrections=True))[0]
    rejected = [step.index for step in one.steps if step.provenance == "error" and step.role == "teacher"]
    found = {step.index: (step.kind, step.judge, step.expert) for step in (await compare(one, corridor)).steps}
    assert rejected
    assert {found[index] for index in rejected} == {("correction", "mistaken", "needless")}


async def test_the_expert_agrees_with_itself(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    for one in await reflected(corridor, store, ExpertTeacher("corridor", "1")):
        steps = (await compare(one, corridor)).steps
        assert {step.said == step.expert for step in steps if step.kind == "verdict"} == {True}
        assert {step.expert for step in steps if step.kind == "correction"} == {"useful"}


async def test_a_verdict_that_is_none_of_the_known_is_no_verdict(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    one = (await reflected(corridor, store))[0]
    verdict = one.steps[0].verdict
    assert verdict is not None
    unread = one.steps[0].model_copy(update={"verdict": verdict.model_copy(update={"decision": "unreadable"})})
    changed = one.model_copy(update={"steps": [unread, *one.steps[1:]], "id": ""}).sealed()
    assert (await compare(changed, corridor)).steps[0].said is None


async def test_a_comparison_goes_on_where_it_stopped(
    corridor: EnvironmentClient, store: TrajectoryStore, tmp_path: Path
) -> None:
    played = await reflected(corridor, store)
    file = ComparisonFile(tmp_path / "judge" / "corridor.jsonl")
    first = await compare_all(played[:1], corridor, file)
    file.path.write_bytes(file.path.read_bytes() + b'{"trajectory": "cut o')
    seen: list[Progress] = []
    whole = await compare_all(played, corridor, file, report=seen.append)
    assert [(one.found, one.finished, one.total) for one in seen] == [(1, 1, 2)]
    assert whole[0] == first[0]
    assert list(ComparisonFile(file.path).episodes()) == [one.id for one in played]


def test_damage_in_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "corridor.jsonl"
    path.write_text('{"trajectory": 3}\n')
    with pytest.raises(RestepError, match=r"corridor\.jsonl, line 1: ") as caught:
        ComparisonFile(path).episodes()
    assert caught.value.code == "data_corrupt"


async def test_a_server_without_expert_is_refused(corridor: EnvironmentClient, store: TrajectoryStore, tmp_path: Path) -> None:
    played = await reflected(corridor, store)
    plain = create_app(CorridorWorld(), EnvironmentSettings(expert=False))
    async with live(plain) as url, EnvironmentClient(url) as client:
        with pytest.raises(RestepError, match="expert_disabled"):
            await compare_all(played, client, ComparisonFile(tmp_path / "x.jsonl"))


async def test_an_episode_that_goes_another_way_is_refused(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    one = (await reflected(corridor, store))[0]
    changed = one.model_copy(update={"steps": [one.steps[0].model_copy(update={"observation_hash": "0" * 16})]})
    with pytest.raises(RestepError, match="replay_diverged"):
        await compare(changed, corridor)
