"""``report.html``: one self-contained file that a person opens to see whether it helped, and why to believe it.

Only :class:`Results` and the stored trajectories go in. Everything an agent or an engine wrote is escaped by jinja2;
the charts are the only markup that is passed through, and they are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from markupsafe import Markup

from shared.store import TrajectoryStore
from shared.trajectory import Provenance, Trajectory
from trainer.bootstrap import Interval
from trainer.charts import line_chart
from trainer.files import write_whole
from trainer.folder import collection_name
from trainer.pages import render_page
from trainer.results import ArmResult, Results
from trainer.table import headline, interval_text, percent, protocol_line, signed, spent_line, training_line

REPORT_FILE: Final = "report.html"
_STEP_COLUMNS: Final[tuple[Provenance, ...]] = ("golden", "student", "error", "reflection", "correction")
_COLOURS: Final[Mapping[str, str]] = dict(
    zip(_STEP_COLUMNS, ("#1a7f4b", "#2457c5", "#9aa1ad", "#8a3ffc", "#b35c00"), strict=True)
)
"""The same in every chart, whichever provenances an arm has."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A trajectory to show, and under which title."""

    title: str
    trajectory: Trajectory


Episodes = Mapping[str, Sequence[Shown]]
"""By environment."""


def write_report(results: Results, folder: Path, episodes: Episodes) -> Path:
    """Write the page into a run's folder and return its path. Raises ``store_failed``."""
    return write_whole(folder / REPORT_FILE, render_report(results, episodes))


def episodes_worth_showing(store: TrajectoryStore, environments: Sequence[str]) -> dict[str, list[Shown]]:
    """Of each environment two reflected episodes with the most repairs, one in the middle of that order, and a golden one."""
    return {name: _worth_showing(store, name) for name in environments}


def _worth_showing(store: TrajectoryStore, environment: str) -> list[Shown]:
    reflected = sorted(
        store.trajectories(collection_name("reflected", environment), kept=True),
        key=lambda trajectory: (-sum(step.provenance == "correction" for step in trajectory.steps), trajectory.id),
    )
    chosen = dict.fromkeys([0, 1, len(reflected) // 2])
    golden = next(iter(store.trajectories(collection_name("golden", environment), kept=True)), None)
    shown = [Shown("Self-reflected", trajectory) for trajectory in (reflected[i] for i in chosen if i < len(reflected))]
    return [*shown, *([Shown("Golden", golden)] if golden else [])]


def render_report(results: Results, episodes: Episodes) -> str:
    """The page as HTML."""
    return render_page(
        "report",
        results=results,
        headline=headline(results),
        averages=_averages(results),
        sections=[_section(results, name, episodes.get(name, ())) for name in results.environments],
        charts=_charts(results),
        facts=_facts(results),
        seconds=_seconds(results),
        level=f"{next(iter(results.arms.values())).average.score.level:.0%}",
    )


def _section(results: Results, environment: str, episodes: Sequence[Shown]) -> dict[str, Any]:
    """What the page says of one environment."""
    return {
        "name": environment,
        "rows": _rows(results, environment),
        "note": protocol_line(results, environment) + ".",
        "by_type": _by_type(results, environment),
        "collections": _collections(results, environment),
        "episodes": [_episode(shown) for shown in episodes],
        "facts": _environment_facts(results, environment),
    }


def _averages(results: Results) -> list[dict[str, Any]]:
    """The rows of the table over all environments."""
    columns = {
        name: {place: one.metrics["score"] for place, one in arm.evaluations.items()} | {"": arm.average.score}
        for name, arm in results.arms.items()
    }
    best = {place: _best(column[place] for column in columns.values()) for place in [*results.environments, ""]}
    return [
        {
            "name": name,
            "description": arm.description,
            "scores": [
                {"mean": percent(one), "interval": interval_text(one), "best": one.mean == best[place]}
                for place, one in columns[name].items()
            ],
            **_difference(arm.average.difference),
            **_training(arm),
        }
        for name, arm in results.arms.items()
    ]


def _rows(results: Results, environment: str) -> list[dict[str, Any]]:
    """The rows of the table of one environment."""
    metrics = {name: arm.evaluations[environment].metrics for name, arm in results.arms.items()}
    best = {metric: _best(figures[metric] for figures in metrics.values()) for metric in ("success", "score")}
    return [_row(name, arm, environment, best) for name, arm in results.arms.items()]


def _row(name: str, arm: ArmResult, environment: str, best: dict[str, float | None]) -> dict[str, Any]:
    metrics = arm.evaluations[environment].metrics
    return {
        "name": name,
        "description": arm.description,
        "success": percent(metrics["success"]) + " %",
        "success_interval": interval_text(metrics["success"]),
        "best_success": metrics["success"].mean == best["success"],
        "score": percent(metrics["score"]),
        "score_interval": interval_text(metrics["score"]),
        "best_score": metrics["score"].mean == best["score"],
        "invalid": percent(metrics["invalid_share"]) + " %",
        "steps": f"{metrics['steps'].mean:.1f}",
        **_difference(arm.differences.get(environment, {}).get("score")),
        **_training(arm),
    }


def _best(figures: Iterable[Interval]) -> float | None:
    """The greatest of the means; None where all are equal, for then none is better."""
    means = [figure.mean for figure in figures]
    return max(means) if min(means) < max(means) else None


def _difference(difference: Interval | None) -> dict[str, str]:
    return {
        "difference": signed(difference) if difference else "–",
        "difference_interval": interval_text(difference) if difference else "",
    }


def _training(arm: ArmResult) -> dict[str, Any]:
    training = arm.training
    return {
        "trajectories": training.trajectories if training else "–",
        "trained_tokens": f"{training.trained_tokens:,}" if training else "–",
        "masked_tokens": f"{training.masked_tokens:,}" if training else "–",
    }


def _by_type(results: Results, environment: str) -> list[dict[str, Any]]:
    evaluations = [arm.evaluations[environment] for arm in results.arms.values()]
    return [
        {
            "type": kind,
            "scores": [f"{100 * one.by_type[kind]['score']:z.1f}" if kind in one.by_type else "–" for one in evaluations],
            "tasks": len({result.task_id for result in evaluations[0].results if result.type == kind}),
        }
        for kind in sorted({name for one in evaluations for name in one.by_type})
    ]


def _collections(results: Results, environment: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "tasks": summary.tasks,
            "kept": summary.kept,
            "failed": summary.failed,
            "success": f"{100 * summary.successes / max(1, summary.tasks):.0f} %",
            "steps": [summary.steps.get(provenance, 0) for provenance in _STEP_COLUMNS],
            "rejected": summary.rejected,
        }
        for name, summary in results.environments[environment].collections.items()
    ]


def _charts(results: Results) -> list[dict[str, Any]]:
    trained = {name: arm.training for name, arm in results.arms.items() if arm.training}
    curves = {name: _points(training.curve, "loss") for name, training in trained.items()}
    charts = [(line_chart(curves, x="optimiser step", y="loss"), "Training loss of every arm: mean over its trained tokens.")]
    for name, training in trained.items():
        by_provenance = {
            provenance: points for provenance in _STEP_COLUMNS if (points := _points(training.curve, f"loss/{provenance}"))
        }
        masked = results.recipe["arms"][name]["weights"]["mask_errors"]
        dashed = ["error"] if masked else []
        caption = f"{name}: loss by provenance."
        if "error" in by_provenance:
            caption += " Error steps are evaluated, never trained." if masked else " Error steps are trained."
        chart = line_chart(by_provenance, x="optimiser step", y="loss", dashed=dashed, colours=_COLOURS)
        charts.append((chart, caption))
    return [{"svg": Markup(svg), "caption": caption} for svg, caption in charts]


def _points(curve: Sequence[dict[str, float]], key: str) -> list[tuple[float, float]]:
    return [(row["step"], row[key]) for row in curve if key in row]


def _environment_facts(results: Results, name: str) -> list[tuple[str, str]]:
    environment = results.environments[name]
    facts = list(environment.versions.items())
    facts += [(f"tasks of {part}", f"{len(tasks)}") for part, tasks in environment.tasks.items()]
    if teacher := environment.teacher:
        facts += [("teacher", teacher.name)]
        facts += [("teacher's spending", spent_line(teacher.spending))] if teacher.spending else []
    return facts


def _facts(results: Results) -> list[tuple[str, str]]:
    facts = [("base student", results.base), ("seed", str(results.seed)), *results.versions.items()]
    for name, arm in results.arms.items():
        if arm.training:
            facts += [(f"data of {name}", "; ".join([*_sources(arm), f"hash {arm.training.data_hash}"]))]
            facts += [(f"options of {name}", _options(arm))] if arm.options else []
            facts += [(f"training of {name}", training_line(arm.training))]
    return [*facts, ("created", results.created)]


def _seconds(results: Results) -> list[tuple[str, list[str], str]]:
    """Of every stage in each environment (empty where it is of none in particular), and in all."""
    stages: dict[str, dict[str, float]] = {}
    for name, seconds in results.seconds.items():
        stage, _, place = name.partition(", ")
        stages.setdefault(stage, {})[place] = seconds
    return [
        (stage, [f"{found[p]:,.0f}" if p in found else "" for p in results.environments], f"{sum(found.values()):,.0f}")
        for stage, found in stages.items()
    ]


def _sources(arm: ArmResult) -> list[str]:
    """``golden_u1: 97 sciworld, 41 webshop`` of every source."""
    return [f"{source}: {', '.join(f'{n} {place}' for place, n in counts.items())}" for source, counts in arm.data.items()]


def _options(arm: ArmResult) -> str:
    """``weights.mask_errors: false, without: ["error"]``: where the arm departs from the method."""
    return ", ".join(f"{name}: {orjson.dumps(value).decode()}" for name, value in arm.options.items())


def _episode(shown: Shown) -> dict[str, Any]:
    trajectory = shown.trajectory
    outcome = trajectory.outcome
    return {
        "title": shown.title,
        "subtitle": f"{trajectory.task.id} · score {outcome.score:.2f} · {outcome.steps} steps · {outcome.ended}",
        "goal": trajectory.task.goal,
        "observation": trajectory.observation,
        "steps": [
            {
                "provenance": step.provenance,
                "loss": step.loss,
                "text": step.text.strip(),
                "reason": f"{step.verdict.decision}: {step.verdict.reason}" if step.verdict else "",
                "observation": step.observation,
            }
            for step in trajectory.steps
        ],
    }
