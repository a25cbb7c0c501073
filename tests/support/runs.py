"""Run folders as the trainer leaves them, small: a store, a recipe, results, an arm in training, and what is wicked in each."""

from __future__ import annotations

from pathlib import Path

import orjson

from shared.errors import RestepError
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory, VerdictStamp
from tests.support.documents import make_step, make_trajectory
from tests.support.outcome import results
from tests.support.trajectories import sample
from trainer.report import write_report
from trainer.results import save_results

SCRIPT = "<script>document.title = 'taken'</script>"
"""What everybody who can write anything writes, in the wicked run."""


def make_run(runs: Path, name: str = "trial") -> Path:
    """A finished run: golden, reflected and evaluation collections, a failure, results of three environments, a report."""
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_bytes(orjson.dumps({"name": name, "description": "A trial."}))
    with TrajectoryStore(folder / "trajectories.db") as store:
        for number, document in enumerate(sample()):
            store.commit(of_run(document, "reflected/sciworld"), attempt=number, kept=True)
        for arm in ("base", "step"):
            episode = make_trajectory("boil/0", run=f"evaluation/{arm}/sciworld", success=arm == "step")
            store.commit(episode, kept=False)
        for number in range(120):
            store.commit(make_trajectory(f"melt/{number}", run="golden/sciworld", seed=number), kept=number % 2 == 0)
        store.plan("imported/webshop", [("synthetic-1", 0), ("synthetic-2", 0)])
        store.fail("golden/sciworld", "melt/500", 0, RestepError("timeout", "the engine gave no answer"))
    found = results("sciworld", "alfworld", "webshop")
    save_results(found, folder)
    write_report(found, folder, {})
    arm = folder / "arms" / "step"
    arm.mkdir(parents=True)
    (arm / "metrics.jsonl").write_bytes(b'{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 1.25}\n{"step": 3, "lo')
    return folder


def make_wicked_run(runs: Path) -> Path:
    """A run in which every text that somebody else writes holds a script, its name included."""
    folder = runs / "<b>wicked<svg onload=x()>"
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_bytes(orjson.dumps({"name": "wicked", "description": SCRIPT}))
    verdict = VerdictStamp(judge=SCRIPT, prompt_hash=None, decision=SCRIPT, reason=SCRIPT)
    steps = [
        make_step(0, "error", thought=SCRIPT, action=SCRIPT, text=SCRIPT, observation=SCRIPT, verdict=verdict, author=SCRIPT),
        make_step(1, "reflection", thought=SCRIPT, text=SCRIPT),
        make_step(
            2, "correction", thought=SCRIPT, action=SCRIPT, text=SCRIPT, observation=SCRIPT, repairs=0, format_error=SCRIPT
        ),
        make_step(
            3, "student", thought="", action=None, text=SCRIPT, observation_hash=None, token_ids=[5, 6], logprobs=[-0.1, -9.0]
        ),
    ]
    plain = make_trajectory(SCRIPT)
    task = plain.task.model_copy(update={"goal": SCRIPT, "type": SCRIPT, "split": SCRIPT})
    protocol = plain.protocol.model_copy(update={"system": SCRIPT, "options": {SCRIPT: SCRIPT}})
    wicked = plain.model_copy(update={"task": task, "protocol": protocol, "steps": steps, "observation": SCRIPT})
    with TrajectoryStore(folder / "trajectories.db") as store:
        for collection in (f"golden/{SCRIPT}", "reflected/sciworld"):
            store.commit(of_run(wicked, collection), kept=True)
            store.fail(collection, f"{SCRIPT}/2", 0, RestepError("timeout", SCRIPT))
    found = results()
    arms = {f"{SCRIPT}{name}": arm.model_copy(update={"description": SCRIPT}) for name, arm in found.arms.items()}
    save_results(found.model_copy(update={"arms": arms, "reference": SCRIPT, "base": SCRIPT}), folder)
    (folder / "report.html").write_text(f"<!doctype html><title>report</title><p>{SCRIPT}<img src=x onerror=alert(1)>")
    (folder / "arms" / "<i>arm").mkdir(parents=True)
    return folder


def of_run(document: Trajectory, run: str) -> Trajectory:
    """The same episode in another collection."""
    return document.model_copy(update={"run": run, "id": ""}).sealed()
