"""A language model behind an endpoint that plays episodes itself, and the form in which a model's play is kept as golden.

A golden step is text to learn, whoever said it: ids that another model sampled are of another vocabulary perhaps, and
what it went on to invent after its action was never part of the episode. So only the canonical turn is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.errors import RestepError
from shared.react import parse_turn, turn_text
from trainer.chat_messages import assistant_turns
from trainer.collection import unit_seed
from trainer.dialogue import Message
from trainer.rollout import Answer, Draft, Player, Policy
from trainer.student import CUT_OFF
from trainer.teacher.endpoint import Endpoint
from trainer.teacher.ledger import Purpose

CALL: Final = "golden"
"""What the books call an answer of a player."""


class EndpointPlayer:
    """A model behind an OpenAI-compatible endpoint: a :class:`Player`. Its questions are booked on ``collection``."""

    def __init__(self, endpoint: Endpoint, collection: str) -> None:
        self._endpoint, self._collection = endpoint, collection
        self._name = f"model:{endpoint.options.model}"

    async def author(self) -> str:
        """The model's name at the endpoint."""
        return self._name

    def begin(self, draft: Draft, attempt: int) -> Policy:
        """The policy of one episode; another attempt is sampled with other seeds."""
        return _EndpointPolicy(
            self._endpoint, Purpose(self._collection, CALL), attempt, f"model:{self._endpoint.options.model}"
        )


class _EndpointPolicy:
    def __init__(self, endpoint: Endpoint, purpose: Purpose, attempt: int, author: str) -> None:
        self._endpoint, self._purpose, self._attempt, self._author = endpoint, purpose, attempt, author

    async def act(self, draft: Draft) -> Answer | None:
        """See :meth:`Policy.act`. Raises what :meth:`Endpoint.complete` does."""
        request = self._endpoint.request(_messages(draft))
        if (seed := self._endpoint.options.seed) is not None:
            request["seed"] = unit_seed(seed, draft.task.id, self._attempt, len(draft.steps))
        try:
            reply = await self._endpoint.complete(request, self._purpose)
        except RestepError as error:
            if error.code == "prompt_too_long":
                return None
            raise
        turn = parse_turn(reply.text)
        if reply.cut and turn.error is not None:
            turn = replace(turn, error=CUT_OFF)
        return Answer(turn, reply.text, "teacher", self._author, cut=reply.cut)


class Golden:
    """A player whose answers are kept as golden steps are: canonical text, without ids; broken ones as they came."""

    def __init__(self, player: Player) -> None:
        self._player = player

    async def author(self) -> str:
        """As the player's."""
        return await self._player.author()

    def begin(self, draft: Draft, attempt: int) -> Policy:
        """The player's policy, its answers rewritten."""
        return _Canonical(self._player.begin(draft, attempt))


class _Canonical:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def act(self, draft: Draft) -> Answer | None:
        answer = await self._policy.act(draft)
        if answer is None:
            return None
        text = answer.text if answer.turn.error else turn_text(answer.turn.thought, answer.turn.action)
        return Answer(answer.turn, text, "teacher", answer.author, cut=answer.cut)


def _messages(draft: Draft) -> list[Message]:
    """The episode as a dialogue, laid out as the student sees it."""
    messages = [Message("system", draft.system), Message("user", draft.first_message)]
    for turn in assistant_turns(draft.steps):
        messages.append(Message("assistant", "".join(step.text for step in turn)))
        messages.append(Message("user", turn[-1].observation or ""))
    return messages
