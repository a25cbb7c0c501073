"""The page shows what the results hold, masks greyed, and never passes on markup that somebody wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import RestepError
from tests.support.outcome import results
from tests.support.trajectories import Said, sample, trajectory
from trainer.report import Shown, render_report, write_report


def test_every_arm_and_its_figures_are_on_the_page() -> None:
    page = render_report(results(), [])
    for text in ("golden-all", "step", "about base", "simplification easy", "limit 20 steps", "00ff", "split test"):
        assert text in page


def test_error_steps_are_marked_with_weight_zero() -> None:
    page = render_report(results(), [Shown("one", sample()[0])])
    assert 'class="step error"' in page
    assert "error · weight 0" in page
    assert "reflection · weight 1" in page


def test_what_an_agent_wrote_is_escaped() -> None:
    wicked = trajectory([Said("student", "Thought: <script>alert(1)</script>\nAction: look around", "<b>A room</b>")])
    page = render_report(results(), [Shown("<i>title</i>", wicked)])
    assert "<script>" not in page
    assert "<b>A room" not in page
    assert "<i>title" not in page


def test_the_page_needs_nothing_from_outside() -> None:
    page = render_report(results(), [])
    assert "src=" not in page
    assert "<link" not in page


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RestepError) as caught:
        write_report(results(), tmp_path / "file", [])
    assert caught.value.code == "store_failed"
