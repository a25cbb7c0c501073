"""The client of an environment server: what it offers, and episodes on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from shared.client.batch import step_batch
from shared.client.endpoint import Report
from shared.client.episode import RemoteEpisode
from shared.client.service import ServiceClient
from shared.client.transport import Transport
from shared.client.watch import PROBE_SECONDS
from shared.errors import RestepError
from shared.protocol import CreateSession, EnvironmentInfo, Extra, StepResult, TaskInfo, TaskPage

_PAGE: Final = 1000


class EnvironmentClient(ServiceClient):
    """Talks to one environment server, to a gateway before many, or to several servers of the same environment.

    Of several, the least loaded takes a new episode, which stays there; when that server dies, another plays what is
    recorded of it again, checked, and goes on. They must serve the same versions and capabilities (``servers_differ``).
    """

    async def info(self) -> EnvironmentInfo:
        """Versions, splits, instruction, limits and capabilities; capacity and use are one server's."""
        return await self._anywhere("GET", "/v1/environment", EnvironmentInfo)

    async def tasks(self, split: str | None = None, type: str | None = None) -> list[TaskInfo]:
        """Every task that matches, in the server's stable order. Raises ``unknown_split``."""
        chosen = {name: value for name, value in (("split", split), ("type", type)) if value is not None}
        found: list[TaskInfo] = []
        while True:
            params = {**chosen, "offset": len(found), "limit": _PAGE}
            page = await self._anywhere("GET", "/v1/tasks", TaskPage, params=params)
            found += page.tasks
            if len(found) >= page.total:
                return found
            if not page.tasks:
                raise RestepError("protocol_violation", f"{page.total} tasks announced, {len(found)} given")

    async def open(
        self,
        task_id: str | None = None,
        *,
        split: str | None = None,
        index: int | None = None,
        seed: int = 0,
        max_steps: int | None = None,
        options: Mapping[str, str] | None = None,
        include: Sequence[Extra] = (),
    ) -> RemoteEpisode:
        """Begin an episode of a task, given by id or by split and index. Close it, or use it as a context manager.

        Waits for a place on a full server as long as the retry policy allows. Raises ``unknown_task``,
        ``unknown_split``, ``invalid_option``, ``invalid_request``, ``not_supported``, ``over_capacity``.
        """
        try:
            asked = CreateSession(
                task_id=task_id,
                split=split,
                index=index,
                seed=seed,
                max_steps=max_steps,
                options=dict(options or {}),
                include=list(include),
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise RestepError("invalid_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        return await RemoteEpisode.open(self._endpoints, asked)

    async def step_batch(self, moves: Sequence[tuple[RemoteEpisode, str]]) -> list[StepResult | RestepError]:
        """One step of each of many episodes in few requests; see :func:`shared.client.batch.step_batch`."""
        return await step_batch(self._endpoints, moves)

    async def _inquire(self, transport: Transport) -> Report:
        info = await transport.probe("/v1/environment", EnvironmentInfo, PROBE_SECONDS)
        identity = {"environment": info.name, "engine version": info.engine_version, "data version": info.data_version}
        return Report(info.capacity, info.sessions, {**identity, "capabilities": ", ".join(info.capabilities)})
