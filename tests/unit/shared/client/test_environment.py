from __future__ import annotations

import pytest

from shared.client import EnvironmentClient
from shared.errors import RestepError
from tests.support.cellar import Cellar


async def test_info_and_tasks(client: EnvironmentClient, cellar: Cellar) -> None:
    info = await client.info()
    assert (info.name, info.capacity, info.sessions) == ("cellar", 256, 0)
    assert {"expert", "fork", "admissible_actions"} == set(info.capabilities)
    assert await client.tasks() == list(cellar.tasks())
    assert await client.tasks("test", "near") == list(cellar.tasks("test", "near"))
    with pytest.raises(RestepError) as caught:
        await client.tasks("nonsense")
    assert caught.value.code == "unknown_split"
    assert "nonsense" in caught.value.detail


async def test_tasks_come_in_pages(client: EnvironmentClient, cellar: Cellar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.client.environment._PAGE", 5)
    assert await client.tasks() == list(cellar.tasks())
    assert await client.tasks("train") == list(cellar.tasks("train"))


@pytest.mark.parametrize("chosen", [{"task_id": "cellar/13"}, {"split": "test", "index": 1}])
async def test_a_task_is_opened_by_id_or_by_place(client: EnvironmentClient, chosen: dict[str, object]) -> None:
    async with await client.open(**chosen, seed=3, max_steps=7) as episode:  # pyright: ignore[reportArgumentType]
        assert episode.view.task.id == "cellar/13"
        assert (episode.view.seed, episode.view.max_steps, episode.view.seq) == (3, 7, 0)
        assert episode.view.task.goal == "Find the key and open the door."
        assert (await client.info()).sessions == 1
    assert (await client.info()).sessions == 0


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"task_id": "cellar/99"}, "unknown_task"),
        ({"split": "test", "index": 99}, "unknown_task"),
        ({"split": "nonsense", "index": 0}, "unknown_split"),
        ({}, "invalid_request"),
        ({"task_id": "cellar/1", "split": "test"}, "invalid_request"),
        ({"task_id": "cellar/1", "options": {"colour": "red"}}, "invalid_option"),
        ({"task_id": "cellar/1", "max_steps": 0}, "invalid_request"),
        ({"task_id": "cellar/1", "include": ["everything"]}, "invalid_request"),
    ],
)
async def test_a_wrong_opening_is_refused(client: EnvironmentClient, wrong: dict[str, object], code: str) -> None:
    with pytest.raises(RestepError) as caught:
        await client.open(**wrong)  # pyright: ignore[reportArgumentType]
    assert caught.value.code == code
