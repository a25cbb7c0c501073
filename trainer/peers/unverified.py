"""A published trajectory as it stands in its file, for one that no engine here can play again (other data, another engine).

It is told from a verified one by what it lacks: no step has an observation hash, a score or a word of the engine on
its action, its environment is of no version, and it is kept in a collection of its own. That it met its goal is the
file's word: the published reward or, without one, that the file is one of expert trajectories.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from shared.protocol import EnvironmentInfo
from shared.react import prompt_version, system_prompt, turn_text
from shared.trajectory import SCHEMA_VERSION, EnvironmentStamp, Outcome, Protocol, Step, TaskStamp, Trajectory
from trainer.peers.conversation import Conversation, Move
from trainer.peers.replay import author, weight
from trainer.rollout import EpisodeConfig

UNVERIFIED: Final = "unverified"
"""Stands where a version, a split or a type would."""
_GOALS: Final = {
    "alfworld": re.compile(r"Your task is to: [^\n]*"),
    "webshop": re.compile(r"(?<=Instruction: \[SEP\] ).*?(?= \[SEP\])", re.DOTALL),
    "sciworld": re.compile(r"[^\n]*"),
}
"""Where in the task turn the goal stands."""


def as_published(conversation: Conversation, info: EnvironmentInfo, episode: EpisodeConfig, run: str) -> Trajectory:
    """The trajectory in our layout, made of the file's texts alone."""
    goal, look = _goal_and_look(info.name, conversation.opening)
    score = 1.0 if conversation.reward is None else conversation.reward
    return Trajectory(
        schema_version=SCHEMA_VERSION,
        id="",
        run=run,
        environment=EnvironmentStamp(name=info.name, engine_version=UNVERIFIED, data_version=UNVERIFIED),
        task=TaskStamp(id=conversation.id, split=UNVERIFIED, type=UNVERIFIED, goal=goal),
        seed=episode.seed,
        protocol=Protocol(
            max_steps=episode.max_steps or info.max_steps,
            options=episode.options,
            prompt_version=prompt_version("turn"),
            system=system_prompt(info.instruction),
        ),
        observation=look,
        outcome=Outcome(success=score == 1.0, score=score, reward=score, steps=len(conversation.moves), ended="done"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        steps=[_step(index, move, author(conversation)) for index, move in enumerate(conversation.moves)],
    ).sealed()


def _step(index: int, move: Move, name: str) -> Step:
    return Step(
        index=index,
        role="expert",
        thought=move.turn.thought,
        action=move.turn.action,
        text=turn_text(move.turn.thought, move.turn.action),
        observation=move.observation or "",
        observation_hash=None,
        reward=None,
        score=None,
        valid=None,
        provenance="golden",
        loss=weight(move),
        author=name,
        format_error=move.turn.error,
    )


def _goal_and_look(environment: str, opening: str) -> tuple[str, str]:
    """The goal, and the rest of the task turn; WebShop's start page keeps the goal, as it does in the shop."""
    pattern = _GOALS.get(environment)
    found = pattern.search(opening) if pattern else None
    if found is None:
        return opening, ""
    if environment == "webshop":
        return found[0], opening
    return found[0].strip(), (opening[: found.start()] + opening[found.end() :]).strip()
