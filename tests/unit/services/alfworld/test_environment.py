"""ALFWorld behind the environment seam, on its default engine and its embedded games."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from services.alfworld import direct
from services.alfworld.app import make_engine
from services.alfworld.direct import DirectEngine
from services.alfworld.environment import AlfWorld
from services.alfworld.library import GameLibrary, embedded_library
from services.alfworld.settings import AlfWorldSettings
from services.alfworld.source import GameText
from shared.errors import RestepError

LIBRARY = embedded_library()
TASK = LIBRARY.tasks()[0].id


class Annotated:
    """The embedded games, with human descriptions for one task."""

    def __init__(self, library: GameLibrary) -> None:
        self.data_version = library.data_version
        self.tasks = library.tasks
        self.splits = library.splits
        self.task = library.task
        self.loads = 0

    def load(self, task_id: str) -> GameText:
        self.loads += 1
        text = LIBRARY.load(task_id)
        return replace(text, annotations=("Do it. ", "Go and do it.")) if task_id == TASK else text


@pytest.fixture
def library() -> Annotated:
    return Annotated(LIBRARY)


@pytest_asyncio.fixture
async def alfworld(library: Annotated) -> AsyncIterator[AlfWorld]:
    environment = AlfWorld(lambda: library, DirectEngine())
    await environment.start()
    yield environment
    await environment.stop()
    await environment.stop()


async def test_info_names_what_is_served(alfworld: AlfWorld) -> None:
    info = alfworld.info()
    assert info.name == "alfworld"
    assert info.engine_version == direct.VERSION
    assert info.data_version == LIBRARY.data_version
    assert {split.name: split.tasks for split in info.splits} == LIBRARY.splits()
    assert len(info.task_types) == 6
    assert [option.name for option in info.options] == ["action_style", "goal", "expert"]
    assert all(line in info.instruction for line in info.action_grammar)


async def test_before_the_start_nothing_is_there(library: Annotated) -> None:
    with pytest.raises(RestepError) as failure:
        AlfWorld(lambda: library, DirectEngine()).info()
    assert failure.value.code == "not_ready"


async def test_an_episode_from_start_to_success(alfworld: AlfWorld) -> None:
    episode = await alfworld.reset(TASK, 0, {})
    assert episode.goal == LIBRARY.task(TASK).goal
    assert episode.observation.startswith("You are in the middle of a room. Looking quickly around you, you see a ")
    steps = [await episode.step(f" {action} ") for action in LIBRARY.load(TASK).walkthrough or ()]
    assert all(step.valid for step in steps)
    assert [step.success for step in steps] == [*[False] * (len(steps) - 1), True]
    assert all(step.done is step.success is (step.score == 1.0) for step in steps)
    nonsense = await episode.step("fly")
    assert (nonsense.observation, nonsense.valid, nonsense.done) == ("Nothing happens.", False, True)
    await episode.close()


async def test_admissible_actions_are_taken_and_asking_changes_nothing(alfworld: AlfWorld) -> None:
    episode = await alfworld.reset(TASK, 0, {})
    actions = await episode.admissible_actions()
    assert await episode.admissible_actions() == actions
    assert (await episode.step(actions[0])).valid
    assert await episode.admissible_actions() != actions


async def test_episodes_of_a_game_share_it_and_do_not_disturb_one_another(alfworld: AlfWorld, library: Annotated) -> None:
    first, second = await alfworld.reset(TASK, 0, {}), await alfworld.reset(TASK, 1, {})
    assert library.loads == 1
    command = next(action for action in await first.admissible_actions() if action.startswith("go to "))
    before = await second.admissible_actions()
    await first.step(command)
    assert await second.admissible_actions() == before != await first.admissible_actions()


async def test_human_descriptions_are_goals_chosen_by_the_seed(alfworld: AlfWorld) -> None:
    goals = [(await alfworld.reset(TASK, seed, {"goal": "annotation"})).goal for seed in (0, 1, 2)]
    assert goals == ["Do it.", "Go and do it.", "Do it."]
    episode = await alfworld.reset(TASK, 0, {"goal": "annotation"})
    plain = await alfworld.reset(TASK, 0, {})
    assert episode.observation == plain.observation
    assert await episode.step("look") == await plain.step("look")
    assert await episode.admissible_actions() == await plain.admissible_actions()
    await episode.close()


@pytest.mark.parametrize(
    ("task", "options", "code"),
    [
        ("valid_seen/none/none", {}, "unknown_task"),
        (TASK, {"action_style": "older"}, "invalid_option"),
        (TASK, {"wording": "old"}, "invalid_option"),
        (LIBRARY.tasks()[1].id, {"goal": "annotation"}, "invalid_option"),
    ],
)
async def test_wrong_requests_are_refused(alfworld: AlfWorld, task: str, options: dict[str, str], code: str) -> None:
    with pytest.raises(RestepError) as failure:
        await alfworld.reset(task, 0, options)
    assert failure.value.code == code


async def test_games_at_hand_are_bounded_and_those_in_play_go_on(alfworld: AlfWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "MAX_GAMES", 3)
    episodes = [await alfworld.reset(task.id, 0, {}) for task in LIBRARY.tasks()[:6]]
    assert alfworld.metrics() == {"games_loaded": 3}
    for episode, task in zip(episodes, LIBRARY.tasks()[:6], strict=True):
        steps = [await episode.step(action) for action in LIBRARY.load(task.id).walkthrough or ()]
        assert steps[-1].success


def test_the_original_engine_without_its_packages_is_a_missing_extra() -> None:
    """Neither serving nor choosing the default needs them; choosing the other says what is missing."""
    assert isinstance(make_engine(AlfWorldSettings()), DirectEngine)
    loaded = (
        "import sys, services.alfworld.app; sys.exit(sum(name.startswith(('textworld', 'alfworld')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


@pytest.mark.skipif(find_spec("textworld") is not None, reason="TextWorld is installed here")
async def test_an_interpreter_without_the_original_engine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTEP_TEXTWORLD_PYTHON", raising=False)
    engine = make_engine(AlfWorldSettings(engine="textworld"))
    with pytest.raises(RestepError) as failure:
        await engine.start()
    assert failure.value.code == "missing_extra"
    assert "restep[alfworld-textworld]" in failure.value.detail


async def test_an_interpreter_that_is_not_there_is_told() -> None:
    engine = make_engine(AlfWorldSettings(engine="textworld", textworld_python=Path("/nowhere/python")))
    with pytest.raises(RestepError) as failure:
        await engine.start()
    assert failure.value.code == "engine_failed"
