"""Published trajectories of the corridor: what replays is ours like any other, what does not is refused or set apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from tests.support.published import as_agentgym, as_eto
from trainer.golden import GoldenConfig, collect_golden
from trainer.peers.conversation import Entry
from trainer.peers.intake import ImportConfig, Intake, Target, import_entries
from trainer.peers.task_finder import TaskFinder
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.verify import verify_collection


async def golden(corridor: EnvironmentClient, store: TrajectoryStore, split: str = "train") -> list[Trajectory]:
    tasks = await select_tasks(corridor, TaskSelection(split=split))
    await collect_golden("golden", tasks, corridor, store, EpisodeConfig(), GoldenConfig())
    return list(store.trajectories("golden"))


async def take(
    bodies: Sequence[object], corridor: EnvironmentClient, store: TrajectoryStore, *, unverified: bool = False, **episode: Any
) -> Intake:
    entries = [Entry(Path("peers.json"), number, body) for number, body in enumerate(bodies, start=1)]
    target = Target("imported", "unverified" if unverified else None, EpisodeConfig(**episode), "test")
    finder = await TaskFinder.open(corridor, {})
    return await import_entries(entries, corridor, finder, store, target, ImportConfig(concurrency=3))


async def test_what_was_published_becomes_a_trajectory_of_ours(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    played = await golden(corridor, store)
    bodies = [as_agentgym(one, one.task.id) for one in played[:4]] + [as_eto(one, id=one.task.id) for one in played[4:]]
    intake = await take(bodies, corridor, store)
    assert (intake.added, intake.already_there, intake.unverified, intake.refused) == (8, 0, 0, [])
    for ours, theirs in zip(played, store.trajectories("imported", kept=True), strict=True):
        assert (theirs.environment, theirs.task, theirs.protocol, theirs.outcome) == (
            ours.environment,
            ours.task,
            ours.protocol,
            ours.outcome,
        )
        author = {"author": f"peer:{'agentgym' if ours in played[:4] else 'eto'} {ours.task.id}"}
        assert theirs.steps == [step.model_copy(update=author) for step in ours.steps]
    assert await verify_collection(store, "imported", corridor.base_url) == 8


async def test_an_import_again_adds_nothing(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    bodies = [as_eto(one, id=one.task.id) for one in await golden(corridor, store)]
    await take(bodies[:3], corridor, store)
    again = await take([*bodies, bodies[0]], corridor, store)
    assert (again.added, again.already_there) == (5, 4)
    assert len(store.units("imported")) == 8


async def test_a_bad_entry_is_refused_and_the_others_go_on(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    played = await golden(corridor, store)
    other = as_eto(played[1], id=played[1].task.id)
    other["conversations"][4]["value"] = "Observation: You are in room 77."
    unknown = as_eto(played[2], id="attic/1")
    wrong_goal = as_eto(played[2], id=played[3].task.id)
    reward = as_eto(played[4], id=played[4].task.id, reward=0.5)
    intake = await take(
        [{"id": 1}, other, unknown, wrong_goal, reward, as_eto(played[0], id=played[0].task.id)], corridor, store
    )
    assert intake.added == 1
    found = [(refusal.entry.number, refusal.error.code) for refusal in intake.refused]
    assert found == [
        (1, "invalid_trajectory"),
        (2, "replay_diverged"),
        (3, "unknown_task"),
        (4, "replay_diverged"),
        (5, "replay_diverged"),
    ]
    details = [refusal.error.detail for refusal in intake.refused]
    assert details[1].startswith("step 1: published 'You are in room 77.', the engine answered 'You are in room 1.")
    assert "the engine's 'Take the lamp from room" in details[3]
    assert "published reward 0.5, the engine gave 1" in details[4]
    assert intake.causes() == "replay_diverged 3, invalid_trajectory 1, unknown_task 1"
    assert intake.refused[0].row() == {
        "file": "peers.json",
        "entry": 1,
        "code": "invalid_trajectory",
        "detail": "conversations: Field required",
    }


async def test_what_is_evaluated_on_is_kept_out(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    held_out = (await golden(corridor, store, "test"))[0]
    intake = await take([as_eto(held_out, id=held_out.task.id)], corridor, store, unverified=True)
    assert "is of split 'test', which is evaluated on" in intake.refused[0].error.detail
    assert store.runs() == ["golden"]


async def test_flags_become_weights(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    one = next(each for each in await golden(corridor, store) if each.task.id == "lamp/3")
    body = as_agentgym(one, one.task.id)
    body["conversations"][5]["loss"] = False
    await take([body], corridor, store)
    (found,) = store.trajectories("imported")
    assert [(step.provenance, step.loss) for step in found.steps] == [
        ("golden", 1.0),
        ("golden", 0.0),
        ("golden", 1.0),
        ("golden", 1.0),
    ]


async def test_what_follows_the_end_is_left_out_and_an_early_end_is_a_difference(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    one = next(each for each in await golden(corridor, store) if each.task.id == "lamp/3")
    longer = as_eto(one, id=one.task.id)
    longer["conversations"] += [
        {"from": "human", "value": "Observation: You take the lamp."},
        {"from": "gpt", "value": "Thought: More.\nAction: take lamp"},
    ]
    assert (await take([longer], corridor, store)).added == 1
    assert [len(found.steps) for found in store.trajectories("imported")] == [4]
    short = await take([longer], corridor, store, max_steps=2)
    assert "over after 2 of 5 steps, without success" in short.refused[0].error.detail


async def test_what_cannot_be_replayed_is_kept_apart_where_asked(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    one = (await golden(corridor, store))[0]
    body = as_eto(one, id="attic/1", reward=0.5)
    intake = await take([body, {"id": 2}], corridor, store, unverified=True)
    assert (intake.added, intake.unverified, len(intake.refused)) == (1, 1, 1)
    (found,) = store.trajectories("unverified", kept=False)
    assert found.environment.engine_version == found.environment.data_version == found.task.split == "unverified"
    assert found.task.goal == body["conversations"][2]["value"]
    assert [step.text for step in found.steps] == [step.text for step in one.steps]
    assert {(step.observation_hash, step.score, step.valid) for step in found.steps} == {(None, None, None)}
    assert (found.outcome.score, found.outcome.success) == (0.5, False)


async def test_a_server_that_is_gone_stops_the_import(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    bodies = [as_eto(one, id=one.task.id) for one in await golden(corridor, store)]
    finder = await TaskFinder.open(corridor, {})
    target = Target("imported", None, EpisodeConfig(), "test")
    entries = [Entry(Path("x"), number, body) for number, body in enumerate(bodies)]
    async with EnvironmentClient("http://127.0.0.1:9") as nobody:
        with pytest.raises(RestepError, match="unreachable"):
            await import_entries(entries, nobody, finder, store, target, ImportConfig())
