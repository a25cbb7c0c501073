"""The table says no more than its intervals allow."""

from __future__ import annotations

import io

from rich.console import Console

from tests.support.outcome import results
from trainer.table import arms_table, headline


def test_the_headline_claims_what_the_interval_allows() -> None:
    assert "step is better than golden-all" in headline(results())


def test_an_interval_across_zero_is_no_claim() -> None:
    found = results()
    wide = found.arms["step"].differences["score"].model_copy(update={"low": -0.1})
    arm = found.arms["step"].model_copy(update={"differences": {"score": wide}})
    assert "not distinguishable" in headline(found.model_copy(update={"arms": {**found.arms, "step": arm}}))


def test_the_table_prints_every_arm_with_its_protocol() -> None:
    console = Console(width=240, file=io.StringIO(), record=True)
    console.print(arms_table(results()))
    text = console.export_text()
    for word in ("base", "golden-all", "step", "limit 20 steps", "greedy", "95% bootstrap"):
        assert word in text
