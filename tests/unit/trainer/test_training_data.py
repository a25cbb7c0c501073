from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.cellar import Cellar
from tests.support.live import live
from trainer.folder import RunFolder
from trainer.golden import GoldenConfig, collect_golden
from trainer.recipe import Arm, Recipe
from trainer.rollout import EpisodeConfig
from trainer.tasks import select_tasks
from trainer.training_data import TrainingData
from trainer.workplace import Workplace


def arm(*data: str, **options: Any) -> Arm:
    return Arm.model_validate({"data": data, **options})


@pytest.fixture
async def held(corridor: EnvironmentClient, store: TrajectoryStore, tmp_path: Path) -> AsyncGenerator[TrainingData]:
    """Golden trajectories of the corridor; none of the cellar."""
    async with live(create_app(Cellar(), EnvironmentSettings(expert=True))) as cellar:
        body = {
            "name": "two",
            "environments": {"corridor": {"url": corridor.base_url}, "cellar": {"url": cellar}},
            "arms": {"one": {"data": ["golden_u1"]}},
            "student": "one",
            "reference": "one",
        }
        recipe = Recipe.model_validate(body)
        tasks = await select_tasks(corridor, recipe.environments["corridor"].tasks)
        await collect_golden("golden/corridor", tasks, corridor, store, EpisodeConfig(), GoldenConfig())
        workplace = Workplace(recipe, tmp_path / "logs")
        yield TrainingData(recipe, RunFolder(tmp_path / "run"), store, workplace)
        await workplace.close()


async def test_each_half_is_a_source_of_its_own(held: TrainingData) -> None:
    u1, u2 = await held.halves("corridor")
    sources = await held.sources(arm("golden_u1", "golden_u2"))
    assert list(sources) == ["golden_u1", "golden_u2"]
    assert {one.task.id for one in sources["golden_u1"]["corridor"]} == {task.id for task in u1}
    assert {one.task.id for one in sources["golden_u2"]["corridor"]} == {task.id for task in u2}
    assert sources["golden_u1"]["cellar"] == sources["golden_u2"]["cellar"] == []
    assert await held.counts(arm("golden_u1")) == {"golden_u1": {"corridor": len(u1), "cellar": 0}}


async def test_a_share_of_the_golden_trajectories_is_part_of_all(held: TrainingData) -> None:
    async def ids(chosen: Arm) -> set[str]:
        return {one.task.id for source in (await held.sources(chosen)).values() for one in source["corridor"]}

    whole, some = await ids(arm("golden_u1", "golden_u2")), await ids(arm("golden_u1", "golden_u2", golden_share=0.5))
    assert some < whole


async def test_a_source_that_is_empty_everywhere_is_refused(held: TrainingData) -> None:
    with pytest.raises(RestepError, match="no reflected_u2 trajectory of corridor, cellar was kept") as caught:
        await held.sources(arm("golden_u1", "reflected_u2"))
    assert caught.value.code == "data_not_found"


async def test_what_was_collected_on_is_known_without_a_server(
    held: TrainingData, store: TrajectoryStore, tmp_path: Path
) -> None:
    halves = {name: await held.halves(name) for name in ("corridor", "cellar")}
    body = {
        "name": "two",
        "environments": {name: {"url": "http://127.0.0.1:9"} for name in halves},
        "arms": {"one": {"data": ["golden_u1"]}},
        "student": "one",
        "reference": "one",
    }
    recipe = Recipe.model_validate(body)
    later = TrainingData(recipe, RunFolder(tmp_path / "run"), store, Workplace(recipe, tmp_path / "logs"))
    assert {name: await later.halves(name) for name in halves} == halves
    assert await later.sources(arm("golden_u1", "golden_u2")) == await held.sources(arm("golden_u1", "golden_u2"))
    with pytest.raises(RestepError, match="unreachable"):
        await later.tasks("corridor")
