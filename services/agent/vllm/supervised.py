"""A vLLM that is ours: started, watched, started again when it dies, and given other weights."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from services.agent.checkpoint import Checkpoint
from services.agent.settings import AgentSettings
from services.agent.vllm.client import Trouble, VllmClient
from services.agent.vllm.process import ADAPTER_SLOTS, BASE_NAME, Installation, VllmProcess
from services.agent.vllm.server import PATIENCE, Server, Totals
from services.agent.vllm.turnstile import Turnstile
from shared.errors import RestepError

log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 30.0
_AWAY_RETRY_AFTER: Final = 5.0


class SupervisedServer(Server):
    """See :class:`Server`. A restart comes back with what was served last."""

    def __init__(
        self, settings: AgentSettings, installation: Installation, base: Checkpoint, turnstile: Turnstile, totals: Totals
    ) -> None:
        super().__init__(base, turnstile, totals)
        self._settings = settings
        self._installation = installation
        self._process: VllmProcess | None = None
        self._up = asyncio.Event()
        self._ill = asyncio.Event()
        self._slots_used = 0
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when it serves; from then on it is kept so. Raises ``unsuitable_model``, ``missing_extra``."""
        await self._start()
        self._keeping = asyncio.create_task(self._keep())

    @property
    def pid(self) -> int | None:
        """The process that serves now."""
        return None if self._process is None else self._process.pid

    @property
    def takes_adapter(self) -> bool:
        """Whether one more adapter may be loaded into this process.

        On a processor the last slot must stay empty: requests without an adapter would be computed with what is in it.
        """
        return not self._installation.cpu or self._slots_used + 1 < ADAPTER_SLOTS

    def base_name(self) -> str:
        """See :meth:`Server.base_name`."""
        return BASE_NAME

    async def ready(self) -> VllmClient:
        """See :meth:`Server.ready`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._up.wait(), PATIENCE)
        if self._process is None or not self._up.is_set():
            raise RestepError("not_ready", "vLLM is being started again", retry_after=_AWAY_RETRY_AFTER)
        return self._process.client

    async def recovered(self, client: VllmClient) -> bool:
        """See :meth:`Server.recovered`."""
        process = self._process
        if process is None or process.client is not client:
            return True
        if await client.healthy():
            return False
        if process is self._process:
            self._replace()
        return True

    def _replace(self) -> None:
        """Have the process that serves now ended and another started."""
        self._up.clear()
        self._ill.set()

    async def load_adapter(self, name: str, folder: Path) -> None:
        """See :meth:`Server.load_adapter`."""
        await super().load_adapter(name, folder)
        self._slots_used += 1

    async def swap(self, checkpoint: Checkpoint) -> None:
        """Put the weights of ``checkpoint``, of the same shape, in the place of ``base``'s, when nothing is in flight.

        Raises ``unsuitable_model``; the old weights then come back with a new process.
        """
        async with self.turnstile.closed():
            client = await self.ready()
            try:
                await client.reload_weights(checkpoint.folder)
            except BaseException as error:  # nothing can be said of weights that were half exchanged
                self._replace()
                if isinstance(error, Trouble | RestepError):
                    raise RestepError("unsuitable_model", f"{checkpoint.source}: the reload failed: {error}") from None
                raise
            self.base = checkpoint
            self.adapters = {}

    async def levels(self) -> Mapping[str, float]:
        """See :meth:`Server.levels`."""
        if self._process is None or not self._up.is_set():
            return {}
        try:
            return await self._process.client.levels()
        except (Trouble, RestepError):
            return {}

    async def close(self) -> None:
        """See :meth:`Server.close`."""
        await self.turnstile.emptied()
        self.closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        self._up.clear()
        await self._end()

    async def _start(self) -> None:
        process = self._process = await VllmProcess.start(self._settings, self.base, self._installation)
        try:
            await process.serving(self.base, self._settings.start_seconds)
            await self.restore(process.client)
        except BaseException as error:
            await self._end()
            if isinstance(error, Trouble):
                raise error.error from None
            raise
        self._slots_used = len(self.adapters)
        self._ill.clear()
        self._up.set()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end()

    async def _keep(self) -> None:
        """Start it again whenever it ends or is ill, with a growing pause while that fails."""
        while True:
            await self._trouble()
            self._up.clear()
            log.warning("vLLM died and is started again")
            await self._end()
            self.totals.restarts += 1
            pause = 1.0
            while self._process is None:
                try:
                    await self._start()
                except RestepError as error:
                    log.error("vLLM cannot be started again (%s); next try in %.0f s", error, pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    async def _trouble(self) -> None:
        """Return when the process has ended or was found ill."""
        assert self._process is not None
        exited, ill = asyncio.create_task(self._process.exited()), asyncio.create_task(self._ill.wait())
        try:
            await asyncio.wait({exited, ill}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
            ill.cancel()
