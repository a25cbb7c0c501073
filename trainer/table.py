"""The one table: did it help? For the terminal, and the sentence that opens the report."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from trainer.bootstrap import Interval
from trainer.results import ArmResult, Results, TrainingSummary
from trainer.teacher.ledger import Spending


def percent(interval: Interval) -> str:
    """``41.7``: a share or score in points of a hundred."""
    return f"{100 * interval.mean:z.1f}"


def interval_text(interval: Interval) -> str:
    """``[30, 53]`` in points of a hundred."""
    return f"[{100 * interval.low:z.0f}, {100 * interval.high:z.0f}]"


def signed(interval: Interval) -> str:
    """``+4.2``."""
    return f"{100 * interval.mean:+z.1f}"


def arms_table(results: Results) -> Table:
    """One row an arm, each figure with its interval, and the protocol of every environment below.

    In one environment: success, score, its difference to the reference, trained tokens. In several: the score in each,
    the mean of these, its difference to the reference, trained tokens; intervals stand below their figures, so that
    three environments fit a terminal of 80 columns.
    """
    several = len(results.environments) > 1
    title = f"{results.name}: did it help?" + (" (score x 100)" if several else "")
    caption = "\n".join([*(protocol_line(results, name) for name in results.environments), *teacher_lines(results)])
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = several, not several
    figures = [*results.environments, "mean"] if several else ["success %", "score x 100"]
    between = "\n" if several else " "
    for name in ("arm", *figures, f"vs{between}{results.reference}", "tokens"):
        table.add_column(name, justify="left" if name == "arm" else "right", no_wrap=True)
    for name, arm in results.arms.items():
        intervals = _of_several(arm) if several else _of_one(arm)
        cells = [f"{percent(interval)}{between}{interval_text(interval)}" for interval in intervals]
        tokens = f"{arm.training.trained_tokens:,}" if arm.training else "-"
        table.add_row(name, *cells, _difference(arm.average.difference, between), tokens)
    return table


def _of_one(arm: ArmResult) -> list[Interval]:
    metrics = next(iter(arm.evaluations.values())).metrics
    return [metrics["success"], metrics["score"]]


def _of_several(arm: ArmResult) -> list[Interval]:
    return [*(evaluation.metrics["score"] for evaluation in arm.evaluations.values()), arm.average.score]


def protocol_line(results: Results, environment: str) -> str:
    """The protocol in a line, without which the table means nothing."""
    protocol = results.environments[environment].protocol
    success = next(iter(results.arms.values())).evaluations[environment].metrics["success"]
    limits = [f"limit {protocol.max_steps} steps", *(f"{name} {value or 'none'}" for name, value in protocol.options.items())]
    sampling = "greedy" if protocol.sampling.temperature == 0 else f"temperature {protocol.sampling.temperature:g}"
    return (
        f"{protocol.environment.name}, split {'+'.join(protocol.splits)}, {success.n} tasks, {', '.join(limits)}; "
        f"prompt {protocol.prompt_version}, {sampling}, seed {results.seed}; {protocol.environment.engine_version}; "
        f"brackets: {success.level:.0%} bootstrap over tasks"
    )


def teacher_lines(results: Results) -> list[str]:
    """What the teacher of every environment has cost, a line each; none for a teacher that costs nothing."""
    taught = {name: one.teacher for name, one in results.environments.items() if one.teacher}
    return [f"teacher, {name}: {one.name}; {spent_line(one.spending)}" for name, one in taught.items() if one.spending]


def training_line(training: TrainingSummary) -> str:
    """``97 trajectories in 12 rows (at least 12), 98.1% full; 3 epochs, 120 steps, ...``, and what was lost, if any."""
    least = "" if training.fewest_packs is None else f" (at least {training.fewest_packs})"
    rows = f"{training.trajectories} trajectories in {training.packs} rows{least}, {training.efficiency:.1%} full"
    length = f"{training.epochs:.4g} epochs, {training.steps:,} steps, {training.trained_tokens_seen:,} trained tokens in all"
    parts = [f"{rows}, trained tokens spread by {training.trained_spread:.0%}", length]
    if training.cut_trajectories:
        parts += [f"{training.cut_trajectories} trajectories cut, steps lost: {_by_task(training.cut_steps)}"]
    if training.dropped:
        parts += [f"dropped, nothing in them to train: {_counts(training.dropped)}"]
        parts += [f"their steps: {_by_task(training.dropped_steps)}"] if training.dropped_steps else []
    return "; ".join(parts)


def _by_task(steps: Mapping[str, Mapping[str, int]]) -> str:
    return ", ".join(f"{task} ({_counts(counts)})" for task, counts in steps.items())


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def spent_line(spent: Spending) -> str:
    """``412 requests (3 unanswered), 37 answers from the cache, 120,400 + 3,020 tokens, cost 1.23, 2 given up``."""
    unanswered = f" ({spent.unanswered} unanswered)" if spent.unanswered else ""
    parts = [f"{spent.requests:,} requests{unanswered}", f"{spent.cache_hits:,} answers from the cache"]
    parts += [f"{spent.prompt_tokens:,} + {spent.completion_tokens:,} tokens"]
    parts += [f"cost {spent.cost:.2f}"] if spent.cost else []
    parts += [f"{spent.malformed} malformed"] if spent.malformed else []
    causes = ", ".join(f"{cause} {count}" for cause, count in spent.failures.items())
    return ", ".join([*parts, *([f"given up: {causes}"] if causes else [])])


def headline(results: Results) -> str:
    """One sentence on every trained arm against the reference, with what the intervals allow to say."""
    trained = {name: arm.average.difference for name, arm in results.arms.items() if arm.training}
    sentences: list[str] = []
    for name, difference in trained.items():
        if difference is None:
            continue
        verdict = "better than" if difference.low > 0 else "worse than" if difference.high < 0 else "not distinguishable from"
        sentences.append(f"{name} is {verdict} {results.reference} ({signed(difference)} points, {interval_text(difference)})")
    if not sentences:
        return f"Only {results.reference} was trained: there is nothing to compare."
    where = f"On average over {', '.join(results.environments)}: " if len(results.environments) > 1 else ""
    return f"{where}{'; '.join(sentences)}."


def _difference(difference: Interval | None, between: str) -> str:
    return "-" if difference is None else f"{signed(difference)}{between}{interval_text(difference)}"
