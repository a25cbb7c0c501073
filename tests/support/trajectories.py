"""Trajectories made up for tests: shorthand for documents, and a hypothesis strategy over their whole shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from shared.react import GO_ON, turn_text
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
    """One step in short. ``ids`` None: written text. ``alone``: a message without an action, which was answered."""

    provenance: Provenance
    text: str
    observation: str | None = "ok"
    ids: list[int] | None = None
    alone: bool = False

    @property
    def acts(self) -> bool:
        return not self.alone and self.provenance != "reflection"

    @property
    def followed(self) -> str | None:
        return GO_ON if self.alone else self.observation if self.acts else None


def trajectory(said: Sequence[Said], *, observation: str = "A room.", task: str = "boil") -> Trajectory:
    """A sealed document that holds these steps."""
    steps = [
        Step(
            index=index,
            role="student",
            thought="t",
            action="look around" if one.acts else None,
            text=one.text,
            observation=one.followed,
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


def in_messages() -> Trajectory:
    """An error, its reflection as a message of its own, the correction, a thought of the student's own, and its action."""
    return trajectory(
        [
            Said("error", turn_text("I eat the cup.", "eat cup"), "No known action matches that input."),
            Said("reflection", "Thought: That did not help.", alone=True),
            Said("correction", turn_text("I take the cup.", "pick up cup"), "You move the cup to the inventory."),
            Said("error", "Thought: I have it now.", alone=True),
            Said("student", turn_text("I look around.", "look around"), "This room is called the kitchen."),
        ]
    )


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["<|im_end|>", " <|im_start|>user\n", "", " \n", "You open the door.", "Thought: a\nAction: b"]
)


@st.composite
def trajectories(draw: st.DrawFn, *, vocabulary: int = 512, stop: int = 2) -> Trajectory:
    """Documents of one to six actions in either layout: any text, sampled or written, with or without their stop token."""
    answers = st.lists(st.integers(stop + 1, vocabulary - 1), max_size=6)
    ids = st.none() | st.builds(list[int].__add__, answers, st.sampled_from([[], [stop]]))
    said: list[Said] = []
    for _ in range(draw(st.integers(1, 6))):
        kind: Provenance = draw(st.sampled_from(["golden", "student", "error", "correction"]))
        if kind == "correction":
            said += [Said("reflection", draw(TEXT), alone=draw(st.booleans())) for _ in range(draw(st.integers(0, 1)))]
        elif draw(st.booleans()):
            said.append(Said(kind, draw(TEXT), ids=draw(ids), alone=True))
        said.append(Said(kind, draw(TEXT), draw(TEXT), draw(ids)))
    return trajectory(said, observation=draw(TEXT))


_PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="<"), max_size=30)
_WORDS = st.lists(st.text("abc ,.", min_size=1, max_size=5).map(lambda word: f"w{word}w"), min_size=1, max_size=3).map(" ".join)
_ANSWERS = st.builds(turn_text, _WORDS, _WORDS)
_THOUGHTS = _WORDS.map("Thought: {}".format)


def _acting(provenance: Provenance) -> st.SearchStrategy[list[Said]]:
    return st.builds(Said, st.just(provenance), _ANSWERS, _PLAIN).map(lambda one: [one])


def _alone(provenance: Provenance) -> st.SearchStrategy[list[Said]]:
    return st.builds(Said, st.just(provenance), _THOUGHTS, alone=st.just(True)).map(lambda one: [one])


_IN_TURN = st.tuples(
    st.builds(Said, st.just("reflection"), _THOUGHTS),
    st.builds(Said, st.just("correction"), _ANSWERS.map(lambda text: text.removeprefix("Thought:")), _PLAIN),
).map(list)
_BY_MESSAGE = st.builds(list[Said].__add__, _alone("reflection"), _acting("correction"))
_THINKING = st.builds(list[Said].__add__, _alone("error"), _acting("student"))
_MOVES = [_acting("golden"), _acting("student"), _acting("error"), _IN_TURN, _BY_MESSAGE, _THINKING]


def written_dialogues() -> st.SearchStrategy[list[Said]]:
    """Steps as they are collected, in both layouts, whose texts hold no name of a special token."""
    return st.lists(st.one_of(_MOVES), min_size=1, max_size=6).map(lambda moves: [one for move in moves for one in move])
