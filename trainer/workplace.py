"""The servers an experiment works with: those its recipe points to, or its own, started when first needed.

A :class:`Workplace` must be closed; that ends whatever it started.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path

from shared.client import EnvironmentClient
from shared.client.agent import AgentClient
from shared.errors import RestepError
from shared.settings import client_token
from trainer.checkpoint import open_base
from trainer.concurrency import task_group
from trainer.order import StudentOrder
from trainer.recipe import EMBEDDED, EnvironmentOptions, Recipe
from trainer.render import Renderer
from trainer.rollout import SamplingConfig
from trainer.servers import local_server


class Workplace:
    """Clients of the environments' servers and of the agent service.

    ``logs`` is where servers started here write; none is started where episodes are played on several ``machines``.
    """

    def __init__(self, recipe: Recipe, logs: Path, machines: int = 1) -> None:
        self._recipe, self._logs, self._machines = recipe, logs, machines
        self._stack = AsyncExitStack()
        self._environments: dict[str, EnvironmentClient] = {}
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._agent: AgentClient | None = None

    async def close(self) -> None:
        """End the servers started here."""
        await self._stack.aclose()

    async def environment(self, name: str) -> EnvironmentClient:
        """One of the recipe's environments; a server of it, with its expert, is started when the recipe gives no url.

        Raises ``invalid_recipe`` when the server there is another environment's; ``unreachable``, ``not_ready``.
        """
        async with self._opening[name]:
            if name not in self._environments:
                self._environments[name] = await self._open(name)
        return self._environments[name]

    async def environments(self) -> dict[str, EnvironmentClient]:
        """All of them in the recipe's order; servers that have to be started start side by side."""
        async with task_group() as group:
            for name in self._recipe.environments:
                group.create_task(self.environment(name))
        return {name: self._environments[name] for name in self._recipe.environments}

    async def _open(self, name: str) -> EnvironmentClient:
        options = self._recipe.environments[name]
        url = options.url
        if url is None:
            self._check_alone(f"environments.{name}.url")
            server = local_server(name, _arguments(options), self._logs / f"{name}.log", _variables(options))
            url = (await self._stack.enter_async_context(server)).url
        client = await self._stack.enter_async_context(EnvironmentClient(url, client_token()))
        if (found := (await client.info()).name) != name:
            raise RestepError("invalid_recipe", f"environments.{name}.url: the server at {client.base_url} is of {found!r}")
        return client

    async def student(self, checkpoint: str, sampling: SamplingConfig) -> StudentOrder:
        """The agent service with ``checkpoint`` loaded. An agent elsewhere must see the same path."""
        if self._agent is None:
            url = self._recipe.agent.url
            if url is None:
                self._check_alone("agent.url")
                log = self._logs / "agent.log"
                url = (await self._stack.enter_async_context(local_server("agent", ["--checkpoint", checkpoint], log))).url
            self._agent = await self._stack.enter_async_context(AgentClient(url, client_token()))
        await self._agent.load(checkpoint)
        base = await asyncio.to_thread(open_base, checkpoint)
        renderer = Renderer.from_tokenizer(base.tokenizer, self._recipe.finetune.chat_format)
        return StudentOrder(self._agent.urls, checkpoint, renderer, sampling)

    def _check_alone(self, field: str) -> None:
        if self._machines > 1:
            detail = f"{field}: episodes are played on {self._machines} machines, so a running server has to be given"
            raise RestepError("invalid_recipe", detail)


def _arguments(options: EnvironmentOptions) -> list[str]:
    data = ["--data", str(options.data)] if isinstance(options.data, Path) else []
    return ["--expert", "--workers", str(options.workers), *data]


def _variables(options: EnvironmentOptions) -> dict[str, str]:
    """This process's environment variables, without the data folder where the embedded data is to be played."""
    return {name: value for name, value in os.environ.items() if options.data != EMBEDDED or name != "RESTEP_DATA"}
