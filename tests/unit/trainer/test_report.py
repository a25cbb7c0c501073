"""The page shows what the results hold, masks greyed, and never passes on markup that somebody wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.outcome import results
from tests.support.trajectories import Said, sample, trajectory
from trainer.report import Shown, episodes_worth_showing, render_report, write_report
from trainer.results import TeacherSummary
from trainer.teacher.ledger import Spending


def test_every_arm_and_its_figures_are_on_the_page() -> None:
    page = render_report(results(), {})
    for text in ("golden-all", "step", "about base", "simplification easy", "limit 20 steps", "00ff", "split test"):
        assert text in page


def test_what_an_arm_does_differently_and_what_its_training_lost_are_on_the_page() -> None:
    page = render_report(results(), {})
    for text in (
        "options of step",
        "weights.normalisation: &#34;turn&#34;, without: [&#34;reflection&#34;]",
        "3 trajectories in 1 rows (at least 1), 98.1% full",
        "1 trajectories cut, steps lost: boil (error 2, correction 1)",
        "dropped, nothing in them to train: melt 1; their steps: melt (error 4)",
        "2 epochs, 2 steps, 240 trained tokens in all",
    ):
        assert text in page
    assert "options of golden-all" not in page


def test_several_environments_have_a_section_each_below_the_table_of_their_means() -> None:
    shown = {place: [Shown(f"an episode of {place}", sample()[0])] for place in ("sciworld", "webshop")}
    page = render_report(results("sciworld", "webshop"), shown)
    summary, *sections = page.split("<section ")
    assert "mean over<br>environments" in summary
    assert "75.0" in summary
    assert len(sections) == 2
    assert "golden_u1: 3 sciworld, 3 webshop; hash 00ff" in sections[-1]
    assert "<tr><td>golden</td><td>1</td><td></td><td>1</td></tr>" in sections[-1]
    for place, section in zip(("sciworld", "webshop"), sections, strict=True):
        assert f'id="{place}"' in section
        for text in (
            f"an episode of {place}",
            f"reflected/{place}",
            f"{place}, split test",
            "By task type",
            f"{place} engine 1",
        ):
            assert text in section


def test_the_teacher_and_its_spending_are_on_the_page() -> None:
    found = results()
    taught = TeacherSummary(name="llm:m sciworld/v1", spending=Spending(requests=12, cache_hits=3))
    place = found.environments["sciworld"].model_copy(update={"teacher": taught})
    page = render_report(found.model_copy(update={"environments": {"sciworld": place}}), {})
    assert "llm:m sciworld/v1" in page
    assert "12 requests, 3 answers from the cache" in page


def test_a_figure_that_all_arms_share_is_nobodys_best() -> None:
    assert 'class="best">0.0 %' not in render_report(results("webshop"), {})
    assert 'class="best">62.5 %' in render_report(results("sciworld"), {})


def test_one_environment_needs_no_table_of_means() -> None:
    page = render_report(results(), {})
    assert "<section" not in page
    assert "mean over<br>environments" not in page


def test_episodes_are_chosen_from_every_environment(store: TrajectoryStore) -> None:
    for place in ("sciworld", "webshop"):
        for document in sample()[:2]:
            run = f"reflected/{place}"
            store.commit(document.model_copy(update={"run": run, "id": ""}).sealed(), kept=True)
    chosen = episodes_worth_showing(store, ["sciworld", "webshop"])
    assert {place: [(one.title, one.trajectory.task.id) for one in shown] for place, shown in chosen.items()} == {
        place: [("Self-reflected", "boil/0"), ("Self-reflected", "melt/0")] for place in ("sciworld", "webshop")
    }


def test_error_steps_are_marked_with_weight_zero() -> None:
    page = render_report(results(), {"sciworld": [Shown("one", sample()[0])]})
    assert 'class="step error"' in page
    assert "error · weight 0" in page
    assert "reflection · weight 1" in page


def test_what_an_agent_wrote_is_escaped() -> None:
    wicked = trajectory([Said("student", "Thought: <script>alert(1)</script>\nAction: look around", "<b>A room</b>")])
    page = render_report(results(), {"sciworld": [Shown("<i>title</i>", wicked)]})
    assert "<script>" not in page
    assert "<b>A room" not in page
    assert "<i>title" not in page


def test_the_page_needs_nothing_from_outside() -> None:
    page = render_report(results(), {})
    assert "src=" not in page
    assert "<link" not in page


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RestepError) as caught:
        write_report(results(), tmp_path / "file", {})
    assert caught.value.code == "store_failed"
