"""The one table: did it help? For the terminal, and the sentence that opens the report."""

from __future__ import annotations

from rich import box
from rich.table import Table

from trainer.bootstrap import Interval
from trainer.results import ArmResult, Results


def percent(interval: Interval) -> str:
    """``41.7``: a share or score in points of a hundred."""
    return f"{100 * interval.mean:.1f}"


def interval_text(interval: Interval) -> str:
    """``[30, 53]`` in points of a hundred."""
    return f"[{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def signed(interval: Interval) -> str:
    """``+4.2``."""
    return f"{100 * interval.mean:+.1f}"


def arms_table(results: Results) -> Table:
    """One row an arm: success, score and its difference to the reference, each with its interval, and trained tokens."""
    title, caption = f"{results.name}: did it help?", protocol_line(results)
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    for name in ("arm", "success %", "score x 100", f"vs {results.reference}", "tokens"):
        table.add_column(name, justify="left" if name == "arm" else "right", no_wrap=True)
    for name, arm in results.arms.items():
        metrics = arm.evaluation.metrics
        table.add_row(
            name,
            f"{percent(metrics['success'])} {interval_text(metrics['success'])}",
            f"{percent(metrics['score'])} {interval_text(metrics['score'])}",
            _difference(arm),
            f"{arm.training.trained_tokens:,}" if arm.training else "-",
        )
    return table


def protocol_line(results: Results) -> str:
    """The protocol in a line, without which the table means nothing."""
    evaluation = next(iter(results.arms.values())).evaluation
    protocol = evaluation.protocol
    options = ", ".join(f"{name} {value or 'none'}" for name, value in protocol.options.items())
    sampling = "greedy" if protocol.sampling.temperature == 0 else f"temperature {protocol.sampling.temperature:g}"
    level = evaluation.metrics["success"].level
    return (
        f"{protocol.environment.name}, split {'+'.join(protocol.splits)}, {evaluation.metrics['success'].n} tasks, "
        f"limit {protocol.max_steps} steps, {options}; prompt {protocol.prompt_version}, {sampling}, seed {results.seed}; "
        f"{protocol.environment.engine_version}; brackets: {level:.0%} bootstrap over tasks"
    )


def headline(results: Results) -> str:
    """One sentence on the best trained arm against the reference, with what the interval allows to say."""
    trained = {name: arm for name, arm in results.arms.items() if arm.training and name != results.reference}
    if not trained:
        return f"Only {results.reference} was trained: there is nothing to compare."
    sentences: list[str] = []
    for name, arm in trained.items():
        difference = arm.differences["score"]
        verdict = "better than" if difference.low > 0 else "worse than" if difference.high < 0 else "not distinguishable from"
        sentences.append(f"{name} is {verdict} {results.reference} ({signed(difference)} points, {interval_text(difference)})")
    return "; ".join(sentences) + "."


def _difference(arm: ArmResult) -> str:
    if "score" not in arm.differences:
        return "-"
    return f"{signed(arm.differences['score'])} {interval_text(arm.differences['score'])}"
