"""Golden episodes by a model behind the agent service: a real service in a process of its own, the student that comes along."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from services.envserver.app import create_app
from shared.settings import EnvironmentSettings
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from trainer.experiment import Experiment
from trainer.recipe import Recipe

pytestmark = pytest.mark.slow


async def test_the_agent_service_plays_in_the_experts_place(tmp_path: Path) -> None:
    async with live(create_app(CorridorWorld(), EnvironmentSettings())) as url:
        recipe = Recipe.model_validate(
            {
                "name": "played",
                "environments": {"corridor": {"url": url, "tasks": {"limit": 2}, "episode": {"max_steps": 3}}},
                "golden": {
                    "player": "agent",
                    "sampling": {"max_new_tokens": 24, "logprobs": False},
                    "collection": {"attempts": 2},
                    "keep": {"metric": "score", "threshold": -1.0},
                },
                "arms": {"one": {"data": ["golden_u1"]}},
                "student": "one",
                "reference": "one",
            }
        )
        async with Experiment(recipe, tmp_path, Console(file=io.StringIO())) as experiment:
            await experiment.golden()
            found = list(experiment.store.trajectories("golden/corridor", kept=True))
    assert len(found) == 4
    steps = [step for trajectory in found for step in trajectory.steps]
    assert steps
    assert {step.role for step in steps} == {"teacher"}
    assert all(step.author.startswith("base@") and step.token_ids is None for step in steps)
    assert {(step.provenance, step.loss) for step in steps} <= {("golden", 1.0), ("error", 0.0)}
    assert all((step.provenance == "error") == (step.format_error is not None) for step in steps)
