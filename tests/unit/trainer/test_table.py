"""The table says no more than its intervals allow."""

from __future__ import annotations

import io

from rich.console import Console

from tests.support.outcome import results
from trainer.bootstrap import Interval
from trainer.results import Average, Results, TeacherSummary
from trainer.table import arms_table, headline, interval_text, percent, signed, teacher_lines
from trainer.teacher.ledger import Spending


def printed(found: Results, width: int = 240) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(arms_table(found))
    return console.export_text()


def test_the_headline_claims_what_the_interval_allows() -> None:
    assert headline(results()) == "step is better than golden-all (+80.0 points, [68, 90])."


def test_an_interval_across_zero_is_no_claim() -> None:
    found = results()
    arm = found.arms["step"]
    assert arm.average.difference is not None
    wide = Average(score=arm.average.score, difference=arm.average.difference.model_copy(update={"low": -0.1}))
    doubtful = found.model_copy(update={"arms": {**found.arms, "step": arm.model_copy(update={"average": wide})}})
    assert "not distinguishable" in headline(doubtful)


def test_rounding_leaves_no_negative_zero() -> None:
    almost = Interval(mean=-0.0004, low=-0.004, high=-0.0, n=9, level=0.95)
    assert (percent(almost), interval_text(almost), signed(almost)) == ("0.0", "[0, 0]", "+0.0")


def test_one_trained_arm_is_compared_with_nothing() -> None:
    found = results()
    alone = {name: arm for name, arm in found.arms.items() if name != "step"}
    assert "nothing to compare" in headline(found.model_copy(update={"arms": alone}))


def test_the_table_prints_every_arm_with_its_protocol() -> None:
    text = printed(results())
    for word in ("base", "golden-all", "step", "success %", "limit 20 steps", "greedy", "95% bootstrap"):
        assert word in text
    assert "85.0 [69, 96]" in text


def test_what_a_teacher_has_cost_stands_below_the_table() -> None:
    spent = Spending(
        requests=1200, unanswered=3, cache_hits=7, malformed=2, failures={"timeout": 1}, prompt_tokens=9000, cost=1.5
    )
    found = results()
    place = found.environments["sciworld"].model_copy(
        update={"teacher": TeacherSummary(name="llm:m sciworld/v1", spending=spent)}
    )
    text = " ".join(printed(found.model_copy(update={"environments": {"sciworld": place}})).split())
    assert (
        "teacher, sciworld: llm:m sciworld/v1; 1,200 requests (3 unanswered), 7 answers from the cache, 9,000 + 0 tokens, "
        "cost 1.50, 2 malformed, given up: timeout 1"
    ) in text


def test_a_teacher_that_costs_nothing_is_not_counted() -> None:
    found = results()
    place = found.environments["sciworld"].model_copy(
        update={"teacher": TeacherSummary(name="expert:sciworld 1", spending=None)}
    )
    assert teacher_lines(found.model_copy(update={"environments": {"sciworld": place}})) == []


def test_several_environments_have_a_column_and_a_protocol_each_in_a_terminal_of_80_columns() -> None:
    found = results("sciworld", "alfworld", "webshop")
    long = found.model_copy(update={"arms": {**found.arms, "step-unmasked": found.arms["base"]}})
    text = printed(long, width=80)
    header = next(line for line in text.splitlines() if "arm" in line).split()
    assert header == ["arm", "sciworld", "alfworld", "webshop", "mean", "golden-all", "tokens"]
    row = next(line for line in text.splitlines() if line.strip().startswith("step")).split()
    assert row == ["step", "85.0", "75.0", "65.0", "75.0", "+45.0", "120"]
    assert "sciworld, split test, 8 tasks" in text
    assert "webshop, split test, 2 tasks" in text
    assert "…" not in text


def test_the_headline_of_several_environments_speaks_of_their_average() -> None:
    sentence = headline(results("sciworld", "webshop"))
    assert sentence.startswith("On average over sciworld, webshop: step is better than golden-all (+42.5 points, ")
