"""A published trajectory played again: what the engine answers is what is kept, and it must be what was published.

So an imported trajectory is one like any other of ours: the engine's observations and scores, our prompt, our layout
of answers; only thoughts and actions are the peer's. Texts are compared without what the peer's client laid around
them or cut from them, and without regard to white space.
"""

from __future__ import annotations

import re
from typing import Final

from shared.client import EnvironmentClient, RemoteEpisode
from shared.errors import RestepError
from shared.protocol import EnvironmentInfo
from shared.react import turn_text
from shared.trajectory import PROVENANCE_LOSS, Trajectory
from trainer.peers.conversation import Conversation, Move, shown
from trainer.rollout import Answer, Draft, EpisodeConfig

_ARRIVAL: Final = re.compile(r"\AYou arrive at [^.]*\. ")
_PUBLISHED_WITH: Final = {
    ("alfworld", "agentgym"): {"action_style": "old"},
    ("alfworld", "eto"): {"action_style": "old"},
    ("sciworld", "agentgym"): {"simplification": ""},
    ("sciworld", "eto"): {"simplification": "easy"},
}
"""Session options that the published episodes were played with; named where a replay goes another way without them."""
_WITHOUT_LOOK: Final = {("sciworld", "eto")}
"""Where the task turn is the goal alone."""
_SHOWN_CHARS: Final = 80
_REWARD_TOLERANCE: Final = 1e-4
"""Published rewards are rounded."""


def author(conversation: Conversation) -> str:
    """Who wrote the steps: the collection's form and the entry's id in it."""
    return f"peer:{conversation.form} {conversation.id}"


async def replay(
    conversation: Conversation,
    task_id: str,
    environment: EnvironmentClient,
    info: EnvironmentInfo,
    episode: EpisodeConfig,
    *,
    run: str,
    held_out: str,
) -> Trajectory:
    """Play it and return it as golden steps, each with the weight that the file gives it.

    Answers after the engine has ended the episode in success are left out: nobody could have given them. Raises
    ``replay_diverged`` at the first difference, ``invalid_trajectory`` for a task of the split ``held_out``, which is
    evaluated on, and what :meth:`EnvironmentClient.open` raises.
    """
    async with await episode.open(environment, task_id) as played:
        if played.view.task.split == held_out:
            raise RestepError("invalid_trajectory", f"task {task_id} is of split {held_out!r}, which is evaluated on")
        draft = Draft(info, played.view)
        try:
            await _follow(conversation, info.name, played, draft)
        except RestepError as error:
            if error.code == "replay_diverged" and (hint := _hint(conversation, info.name, played)):
                raise RestepError(error.code, f"{error.detail}; {hint}") from None
            raise
    return draft.finish(run)


async def _follow(conversation: Conversation, environment: str, played: RemoteEpisode, draft: Draft) -> None:
    _check_opening(conversation, environment, played)
    for number, move in enumerate(conversation.moves, start=1):
        if played.over:
            break
        result = await played.step(move.turn.action)
        if move.observation is not None and not same_text(move.observation, result.observation):
            detail = f"step {number}: published {_short(move.observation)}, the engine answered {_short(result.observation)}"
            raise RestepError("replay_diverged", detail)
        if move.observation is None and not result.valid:
            raise RestepError("replay_diverged", f"step {number}: the engine does not understand {_short(move.turn.action)}")
        text = turn_text(move.turn.thought, move.turn.action)
        draft.carry_out(Answer(move.turn, text, "expert", author(conversation)), result, "golden")
        draft.steps[-1] = draft.steps[-1].model_copy(update={"loss": weight(move)})
    _check_end(conversation, played)


def weight(move: Move) -> float:
    """That of a golden step, or 0 where the file masks it or its format is broken."""
    return PROVENANCE_LOSS["golden"] if move.trained else 0.0


def same_text(published: str, engine: str) -> bool:
    """Whether a client may have shown ``published`` for what the engine says."""
    return _plain(published) == _plain(engine)


def _plain(text: str) -> str:
    return " ".join(_ARRIVAL.sub("", shown(text)).split())


def _check_opening(conversation: Conversation, environment: str, played: RemoteEpisode) -> None:
    """The task turn states the goal and, but for the collections that leave it out, what is seen at first."""
    opening, goal, look = (_plain(text) for text in (conversation.opening, played.view.task.goal, played.view.observation))
    wanted = (goal,) if (environment, conversation.form) in _WITHOUT_LOOK else (goal, look)
    for text in wanted:
        if text not in opening:
            detail = f"step 0: published {_short(opening)}, which does not have the engine's {_short(text)}"
            raise RestepError("replay_diverged", detail)


def _check_end(conversation: Conversation, played: RemoteEpisode) -> None:
    steps, last = len(played.steps), played.last
    if steps < len(conversation.moves) and not (last and last.success):
        detail = f"the episode was over after {steps} of {len(conversation.moves)} steps, without success"
        raise RestepError("replay_diverged", detail)
    if conversation.reward is not None and abs(conversation.reward - played.score) > _REWARD_TOLERANCE:
        raise RestepError("replay_diverged", f"published reward {conversation.reward:g}, the engine gave {played.score:g}")


def _hint(conversation: Conversation, environment: str, played: RemoteEpisode) -> str:
    """Which options of the session are not those that the collection was played with."""
    usual = _PUBLISHED_WITH.get((environment, conversation.form), {})
    other = [f"{name}={value!r}" for name, value in usual.items() if played.view.options.get(name) != value]
    return f"such data was played with {', '.join(other)}" if other else ""


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _SHOWN_CHARS else flat[:_SHOWN_CHARS] + "…")
