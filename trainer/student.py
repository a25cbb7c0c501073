"""The student in an episode: token ids in, token ids out, through the renderer that training uses.

What it is shown grows only at its end: its own sampled ids as they came, and what others wrote, encoded once. So the
ids it saw are the ids that are trained on, teachers' turns included.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.agent_protocol import Sampling
from shared.client.agent import AgentClient
from shared.errors import RestepError
from shared.react import Turn
from trainer.chat_messages import assistant_turns
from trainer.collection import unit_seed
from trainer.render import Renderer
from trainer.rollout import Answer, Draft, Policy, SamplingConfig

CUT_OFF: Final = "answer cut off at the token limit"


class Student:
    """A model behind an agent service: a :class:`Player`."""

    def __init__(self, agent: AgentClient, renderer: Renderer, sampling: SamplingConfig) -> None:
        self._agent, self._renderer, self.sampling = agent, renderer, sampling

    async def author(self) -> str:
        """The checkpoint that answers."""
        return (await self._agent.info()).model

    def begin(self, draft: Draft, attempt: int) -> Policy:
        """The policy of one episode."""
        return _StudentPolicy(self._agent, self._renderer, self.sampling, draft, attempt)


class _StudentPolicy:
    """Holds the ids of one dialogue, which only ever grow, and asks for the answer to them."""

    def __init__(self, agent: AgentClient, renderer: Renderer, sampling: SamplingConfig, draft: Draft, attempt: int) -> None:
        self._agent, self._renderer, self._sampling, self._attempt = agent, renderer, sampling, attempt
        self._ids = list(renderer.start(draft.system, draft.first_message).ids)
        self._seen = 0

    async def act(self, draft: Draft) -> Answer | None:
        """See :meth:`Policy.act`."""
        self._catch_up(draft)
        sampling = self._sampling
        try:
            said = await self._agent.act(
                self._ids,
                Sampling(
                    max_tokens=sampling.max_new_tokens,
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    seed=unit_seed(sampling.seed, draft.task.id, self._attempt, len(draft.steps)),
                    stop_token_ids=[self._renderer.stop_id],
                    logprobs=sampling.logprobs,
                ),
            )
        except RestepError as error:
            if error.code == "prompt_too_long":
                return None
            raise
        turn, cut = Turn(said.thought, said.action, said.format_error), said.finish_reason == "length"
        if cut and turn.error is None:
            turn = replace(turn, error=CUT_OFF)
        return Answer(turn, said.text, "student", said.model, said.token_ids, said.logprobs, cut)

    def _catch_up(self, draft: Draft) -> None:
        """Append what was written since the last answer, teachers' turns included."""
        for turn in assistant_turns(draft.steps[self._seen :]):
            contents = [step.text if step.token_ids is None else step.token_ids for step in turn]
            for segment in self._renderer.answer(*contents):
                self._ids.extend(segment.ids)
            self._ids.extend(self._renderer.observation(turn[-1].observation or "").ids)
        self._seen = len(draft.steps)
