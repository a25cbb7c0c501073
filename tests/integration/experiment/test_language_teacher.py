"""A whole experiment whose teacher is a language model: who it was and what it cost stand in the results, table and report."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from shared.errors import RestepError
from shared.settings import EnvironmentSettings
from tests.integration.experiment.test_two_environments import recipe, run
from tests.support.corridor import CorridorWorld
from tests.support.corridor_model import corridor_model
from tests.support.live import live
from tests.support.model_server import ModelServer, model_server
from tests.support.tiny_model import tiny_checkpoint
from trainer.recipe import Recipe
from trainer.results import load_results

pytestmark = pytest.mark.slow


def taught(servers: dict[str, str], model: ModelServer, budget: int) -> Recipe:
    """The corridor alone, with a model as its teacher."""
    whole = recipe({"cellar": servers["corridor"], **servers}).model_dump()
    del whole["environments"]["cellar"]
    prices = {"prompt": 1.0, "completion": 10.0}
    teacher = {"kind": "llm", "endpoint": model.options().model_dump(), "budget": {"tokens": budget}, "prices": prices}
    # One after the other: requests in flight would be paid beyond the budget.
    whole["reflected"]["collection"]["concurrency"] = 1
    return Recipe.model_validate(whole | {"teacher": teacher})


async def test_the_teachers_spending_is_told_and_bounded(tmp_path: Path) -> None:
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny", context=4096))
    async with (
        live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as corridor,
        live(create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=64))) as agent,
        model_server(corridor_model) as model,
    ):
        servers = {"corridor": corridor, "agent": agent, "checkpoint": checkpoint}
        with pytest.raises(RestepError, match="budget_exhausted"):
            await run(taught(servers, model, 1100), tmp_path)
        assert len(model.bodies) == 10
        results, printed = await run(taught(servers, model, 10**6), tmp_path)
    assert load_results(tmp_path / "two") == results
    teacher = results.environments["corridor"].teacher
    assert teacher is not None
    assert teacher.name == "llm:scripted default/v1"
    spent = teacher.spending
    assert spent is not None
    assert (spent.requests, spent.tokens) == (len(model.bodies), 110 * len(model.bodies))
    assert spent.cost == pytest.approx(200e-6 * len(model.bodies))
    assert spent.failures == {"budget_exhausted": 1}
    line = f"{spent.requests:,} requests, {spent.cache_hits:,} answers from the cache"
    assert f"teacher, corridor: llm:scripted default/v1; {line}" in " ".join(printed.split())
    assert line in (tmp_path / "two" / "report.html").read_text()
