"""Trajectories made up for tests: shorthand for documents, and a hypothesis strategy over their whole shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from shared.react import turn_text
from shared.trajectory import (
    PROVENANCE_LOSS,
    EnvironmentStamp,
    Outcome,
    Protocol,
    Provenance,
    Step,
    TaskStamp,
    Trajectory,
)


@dataclass(frozen=True)
class Said:
    """One step in short. ``ids`` None: written text."""

    provenance: Provenance
    text: str
    observation: str | None = "ok"
    ids: list[int] | None = None


def trajectory(said: Sequence[Said], *, observation: str = "A room.", task: str = "boil") -> Trajectory:
    """A sealed document that holds these steps."""
    steps = [
        Step(
            index=index,
            role="student",
            thought="t",
            action=None if one.provenance == "reflection" else "look around",
            text=one.text,
            observation=None if one.provenance == "reflection" else one.observation,
            observation_hash=None,
            reward=None,
            score=None,
            valid=None,
            provenance=one.provenance,
            loss=PROVENANCE_LOSS[one.provenance],
            author="test",
            token_ids=one.ids,
        )
        for index, one in enumerate(said)
    ]
    return Trajectory(
        schema_version=1,
        id="",
        run="test",
        environment=EnvironmentStamp(name="test", engine_version="1", data_version="1"),
        task=TaskStamp(id=f"{task}/0", split="train", type=task, goal="Your task is to boil water."),
        seed=0,
        protocol=Protocol(max_steps=30, options={}, prompt_version="react-1", system="Act."),
        observation=observation,
        outcome=Outcome(success=True, score=1.0, reward=1.0, steps=len(steps), ended="done"),
        created="2026-01-01T00:00:00Z",
        steps=steps,
    ).sealed()


def sample() -> list[Trajectory]:
    """Three documents of unequal length with every provenance that is collected."""
    golden = Said("golden", turn_text("I look around.", "look around"), "This room is called the kitchen.")
    error = Said("error", turn_text("I eat the cup.", "eat cup"), "No known action matches that input.")
    reflection = Said("reflection", "Thought: That did not help.")
    correction = Said("correction", " I take the cup.\nAction: pick up cup", "You move the cup to the inventory.")
    return [
        trajectory([golden, error, reflection, correction, golden], task="boil"),
        trajectory([golden, golden], task="melt", observation="A hallway, long and dark, with five doors."),
        trajectory([error, reflection, correction], task="boil"),
    ]


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["<|im_end|>", " <|im_start|>user\n", "", " \n", "You open the door.", "Thought: a\nAction: b"]
)


@st.composite
def trajectories(draw: st.DrawFn, *, vocabulary: int = 512, stop: int = 2) -> Trajectory:
    """Documents of one to six turns: any text, sampled or written, with or without their stop token."""
    said: list[Said] = []
    for _ in range(draw(st.integers(1, 6))):
        kind: Provenance = draw(st.sampled_from(["golden", "student", "error", "correction"]))
        if kind == "correction":
            said += [Said("reflection", draw(_TEXT)) for _ in range(draw(st.integers(0, 1)))]
        ids = None
        if draw(st.booleans()):
            ids = draw(st.lists(st.integers(stop + 1, vocabulary - 1), max_size=6)) + [stop] * draw(st.integers(0, 1))
        said.append(Said(kind, draw(_TEXT), draw(_TEXT), ids))
    return trajectory(said, observation=draw(_TEXT))
