"""A run's teacher examined: the figures, the files, the table, and the command that makes them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from tests.support.mistaken import Mistaken
from tests.support.scripted import Scripted
from trainer.cli import app
from trainer.folder import RunFolder
from trainer.judge.examination import examine
from trainer.judge.figures import JudgeReport
from trainer.judge.page import judge_tables, render_judge_page, save_judge_report
from trainer.recipe import Recipe
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig

TASKS = [TaskInfo(id=f"{kind}/{size}", split="train", type=kind) for kind in ("lamp", "lantern") for size in (1, 3)]


def claim(corridor: EnvironmentClient, runs: Path) -> RunFolder:
    body = {
        "name": "small",
        "environments": {"corridor": {"url": corridor.base_url}},
        "arms": {"one": {"data": ["golden_u1"]}},
        "student": "one",
        "reference": "one",
        "evaluation": {"bootstrap": {"resamples": 200}},
    }
    return RunFolder.claim(Recipe.model_validate(body), runs)


async def collect(corridor: EnvironmentClient, folder: RunFolder) -> None:
    teacher = Mistaken({"wait": "needless", "go to room 1": "harmful"}, cure="take lamp")
    config = ReflectConfig(privileged=False, per_episode=1.0, at_limit="go_on", check_corrections=False)
    student = Scripted("go to room 1", "wait", "dance", "take lamp")
    with folder.store() as store:
        await collect_reflected("reflected/corridor", TASKS, corridor, student, teacher, store, EpisodeConfig(), config)


async def test_a_run_is_examined_and_shown(corridor: EnvironmentClient, tmp_path: Path) -> None:
    folder = claim(corridor, tmp_path)
    await collect(corridor, folder)
    report = await examine(folder, [], Console(file=io.StringIO()))
    (found,) = report.figures
    assert (found.judge, found.environment, found.tasks, found.unjudged) == ("mistaken", "corridor", 4, 0)
    assert (found.steps, found.errors.expert, found.errors.judge, found.corrections) == (10, 6, 6, 6)
    for share in (found.errors.precision, found.errors.recall, found.errors.f1, found.corrections_help):
        assert share is not None
        assert share.mean == pytest.approx(1 / 3)
        assert share.low <= share.mean <= share.high
    assert report.versions == {"corridor": {"engine": "1", "data": "1", "HTTP protocol": "1"}}

    named = report.figures[0].model_copy(update={"judge": "<script>"})
    assert "<script>" not in render_judge_page(report.model_copy(update={"figures": [named]}))
    unread = found.model_copy(update={"unjudged": 1, "confusion": {"needless": {"none": 1}}})
    assert "no verdict" in render_judge_page(report.model_copy(update={"figures": [unread]}))
    page = save_judge_report(report, folder.path).read_text()
    assert "mistaken · corridor" in page
    assert "no verdict" not in page
    assert JudgeReport.model_validate_json((folder.path / "judge.json").read_bytes()) == report
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(*judge_tables(report))
    printed = console.export_text()
    assert "mistaken" in printed
    assert "needless" in printed
    assert "10 steps" in printed

    few = await examine(folder, [], Console(file=io.StringIO()), limit=1)
    assert few.figures[0].episodes == 1


async def test_a_run_without_reflected_episodes_is_refused(corridor: EnvironmentClient, tmp_path: Path) -> None:
    with pytest.raises(RestepError, match="no reflected episode of corridor") as caught:
        await examine(claim(corridor, tmp_path), [], Console(file=io.StringIO()))
    assert caught.value.code == "data_not_found"


@pytest.mark.parametrize("words", [["report", "judge"], ["report"]])
def test_both_reports_need_a_run(words: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*words, str(tmp_path)])
    assert isinstance(done.exception, RestepError)
    assert done.exception.code == "data_not_found"
