"""The servers an experiment works with: those its recipe points to, or its own, started when first needed.

A :class:`Workplace` must be closed; that ends whatever it started.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from shared.client import EnvironmentClient
from shared.client.agent import AgentClient
from trainer.checkpoint import open_base
from trainer.recipe import Recipe
from trainer.render import Renderer
from trainer.rollout import SamplingConfig
from trainer.servers import local_server
from trainer.student import Student


class Workplace:
    """Clients of an environment server and of the agent service. ``logs`` is where servers started here write."""

    def __init__(self, recipe: Recipe, logs: Path) -> None:
        self._recipe, self._logs = recipe, logs
        self._stack = AsyncExitStack()
        self._environment: EnvironmentClient | None = None
        self._agent: AgentClient | None = None

    async def close(self) -> None:
        """End the servers started here."""
        await self._stack.aclose()

    async def environment(self) -> EnvironmentClient:
        """The recipe's environment; a server of it, with its expert, is started when the recipe names none."""
        if self._environment is None:
            options = self._recipe.environment
            url = options.url
            if url is None:
                arguments = ["--expert", "--workers", str(options.workers)]
                log = self._logs / f"{options.name}.log"
                url = (await self._stack.enter_async_context(local_server(options.name, arguments, log))).url
            self._environment = await self._stack.enter_async_context(EnvironmentClient(url))
        return self._environment

    async def student(self, checkpoint: str, sampling: SamplingConfig) -> Student:
        """The agent service with ``checkpoint`` loaded. An agent elsewhere must see the same path."""
        if self._agent is None:
            url = self._recipe.agent.url
            if url is None:
                log = self._logs / "agent.log"
                url = (await self._stack.enter_async_context(local_server("agent", ["--checkpoint", checkpoint], log))).url
            self._agent = await self._stack.enter_async_context(AgentClient(url))
        await self._agent.load(checkpoint)
        base = await asyncio.to_thread(open_base, checkpoint)
        renderer = Renderer.from_tokenizer(base.tokenizer, self._recipe.finetune.chat_format)
        return Student(self._agent, renderer, sampling)
