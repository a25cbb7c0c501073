"""Trajectories for tests: one plain maker, and a strategy that draws any document the schema allows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from shared.protocol import observation_hash
from shared.react import GO_ON
from shared.trajectory import (
    SCHEMA_VERSION,
    EnvironmentStamp,
    Outcome,
    Protocol,
    Provenance,
    Step,
    TaskStamp,
    Trajectory,
    VerdictStamp,
)

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
_WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_SMALL = st.integers(-(2**53), 2**53)
_JSON = st.recursive(
    st.none() | st.booleans() | _SMALL | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)


def make_step(index: int, provenance: Provenance = "golden", **changes: Any) -> Step:
    """A coherent step; a reflection has neither action nor observation."""
    spoken = provenance == "reflection"
    observation = None if spoken else f"You see room {index}."
    fields: dict[str, Any] = {
        "index": index,
        "role": "expert",
        "thought": f"thought {index}",
        "action": None if spoken else f"go to room {index}",
        "text": f"Thought: thought {index}\nAction: go to room {index}",
        "observation": observation,
        "observation_hash": None if observation is None else observation_hash(observation),
        "reward": None if spoken else 0.5,
        "score": None if spoken else 0.5 * (index + 1),
        "valid": None if spoken else True,
        "provenance": provenance,
        "loss": 0.0 if provenance == "error" else 1.0,
        "author": "expert",
    }
    return Step(**{**fields, **changes})


def make_trajectory(task_id: str = "find-plant/1", *, run: str = "run", seed: int = 0, **outcome: Any) -> Trajectory:
    """A sealed golden episode of two steps; ``outcome`` overrides fields of its outcome."""
    return Trajectory(
        schema_version=SCHEMA_VERSION,
        id="",
        run=run,
        environment=EnvironmentStamp(name="rooms", engine_version="1", data_version="abc"),
        task=TaskStamp(id=task_id, split="train", type="find-plant", goal="Find a plant."),
        seed=seed,
        protocol=Protocol(max_steps=30, options={}, prompt_version="react-1", system="You act."),
        observation="You are in a room.",
        outcome=Outcome.model_validate({"success": True, "score": 1.0, "reward": 1.0, "steps": 2, "ended": "done", **outcome}),
        created="2026-01-01T00:00:00+00:00",
        steps=[make_step(0), make_step(1)],
    ).sealed()


_VERDICTS = st.builds(
    VerdictStamp,
    judge=_WORDS,
    prompt_hash=st.none() | _WORDS,
    decision=_WORDS,
    reason=_TEXTS,
    raw=st.none() | st.dictionaries(_TEXTS, _JSON, max_size=3),
)


@st.composite
def _steps(draw: st.DrawFn) -> list[Step]:
    kinds: list[Provenance] = []
    for _ in range(draw(st.integers(0, 4))):
        kind: Provenance = draw(st.sampled_from(["golden", "student", "error", "correction"]))
        kinds.extend(("reflection", "correction") if kind == "correction" else (kind,))
    steps: list[Step] = []
    for index, kind in enumerate(kinds):
        spoken = kind == "reflection"
        token_ids = draw(st.none() | st.lists(st.integers(0, 2**20), max_size=4))
        logprobs = None if token_ids is None else draw(st.none() | st.just([-0.5] * len(token_ids)))
        changes: dict[str, Any] = {
            "role": draw(st.sampled_from(["student", "teacher", "expert"])),
            "thought": draw(_TEXTS),
            "text": draw(_TEXTS),
            "loss": draw(st.floats(0, 1)),
            "repairs": draw(st.none() | st.integers(0, index - 1)) if index else None,
            "verdict": draw(st.none() | _VERDICTS),
            "author": draw(_WORDS),
            "token_ids": token_ids,
            "logprobs": logprobs,
            "format_error": draw(st.none() | _TEXTS),
        }
        if draw(st.booleans()) if spoken else draw(st.integers(0, 4)) == 0:
            unseen = dict.fromkeys(("action", "observation_hash", "reward", "score", "valid"))
            changes |= {**unseen, "observation": draw(st.just(GO_ON) | _TEXTS)}
        elif not spoken:
            changes |= {"action": draw(_TEXTS), "observation": draw(_TEXTS), "reward": draw(st.none() | _NUMBERS)}
        steps.append(make_step(index, kind, **changes))
    return steps


def trajectories() -> st.SearchStrategy[Trajectory]:
    """Any sealed trajectory that the schema allows."""
    return st.builds(
        Trajectory,
        schema=st.just(SCHEMA_VERSION),
        id=st.just(""),
        run=_WORDS,
        environment=st.builds(EnvironmentStamp, name=_WORDS, engine_version=_WORDS, data_version=_WORDS),
        task=st.builds(TaskStamp, id=_WORDS, split=_WORDS, type=_WORDS, goal=_TEXTS),
        seed=_SMALL,
        protocol=st.builds(
            Protocol,
            max_steps=st.integers(1, 1000),
            options=st.dictionaries(_WORDS, _TEXTS, max_size=3),
            prompt_version=_WORDS,
            system=_TEXTS,
        ),
        observation=_TEXTS,
        outcome=st.builds(
            Outcome,
            success=st.booleans(),
            score=_NUMBERS,
            reward=_NUMBERS,
            steps=st.integers(0, 1000),
            ended=st.sampled_from(["done", "truncated", "error"]),
            cause=st.none() | st.sampled_from(["context_overflow", "fatal_step", "correction_limit"]),
        ),
        created=st.just("2026-01-01T00:00:00+00:00"),
        steps=_steps(),
    ).map(Trajectory.sealed)
