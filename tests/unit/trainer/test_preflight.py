"""A recipe whose base cannot be trained is refused before anything is collected, with the field named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from services.envserver.app import create_app
from shared.errors import RestepError
from shared.settings import EnvironmentSettings
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint
from trainer.experiment import Experiment
from trainer.preflight import check_checkpoints, check_training
from trainer.recipe import Recipe


def _recipe(base: str, **given: Any) -> Recipe:
    fields: dict[str, Any] = {
        "name": "preflight",
        "base": base,
        "environments": {"corridor": {}},
        "arms": {"golden": {"data": ["golden_u1"]}},
        "student": "golden",
        "reference": "golden",
    }
    return Recipe.model_validate(fields | given)


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tiny_checkpoint(tmp_path / "tiny", context=4096))


def test_what_can_be_trained_passes(base: str) -> None:
    for given in ({}, {"finetune": {"lora": {"targets": ["q_proj"]}, "chat_format": "chatml"}}):
        check_checkpoints(_recipe(base, **given))
        check_training(_recipe(base, **given))


def test_every_checkpoint_that_a_run_begins_with_is_looked_at(base: str, tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    with pytest.raises(RestepError, match=r"base: .*absent: no such folder"):
        check_checkpoints(_recipe(absent))
    played = {"golden": {"player": "agent", "checkpoint": absent}}
    with pytest.raises(RestepError, match=r"golden\.checkpoint: .*absent: no such folder"):
        check_checkpoints(_recipe(base, **played))
    check_checkpoints(_recipe(base, golden={"checkpoint": absent}))  # the expert plays, nobody needs it


@pytest.mark.parametrize(
    ("finetune", "code", "named"),
    [
        ({"chat_format": "llama2"}, "unsuitable_template", "finetune.chat_format: "),
        ({"lora": {"targets": ["nothing_proj"]}}, "invalid_recipe", "finetune.lora.targets: "),
    ],
)
def test_what_only_opening_tells_is_told_with_the_field(finetune: dict[str, Any], code: str, named: str, base: str) -> None:
    with pytest.raises(RestepError) as caught:
        check_training(_recipe(base, finetune=finetune))
    assert caught.value.code == code
    assert caught.value.detail.startswith(named)


async def test_nothing_is_collected_for_a_base_that_cannot_be_trained(base: str, tmp_path: Path) -> None:
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url:
        chosen = _recipe(base, environments={"corridor": {"url": url}}, finetune={"chat_format": "llama2"})
        async with Experiment(chosen, tmp_path, Console(quiet=True)) as experiment:
            with pytest.raises(RestepError, match=r"finetune\.chat_format"):
                await experiment.run()
            assert experiment.store.runs() == []
