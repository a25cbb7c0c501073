"""The application of the agent service, assembled, and the process that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from fastapi import FastAPI

from services.agent.backends.base import Backend
from services.agent.metrics import Metrics
from services.agent.openai_errors import OpenAiErrors
from services.agent.openai_protocol import ChatRequest, CompletionRequest, OpenAiError
from services.agent.routes import openai, react
from services.agent.service import AgentService
from services.agent.settings import AgentSettings
from services.http.assembly import assemble
from services.http.foreign import is_local
from shared.agent_protocol import LoadCheckpoint, ReactStepRequest
from shared.errors import RestepError
from shared.serving import bind, new_event_loop, serve
from shared.telemetry import configure_logging


def create_app(settings: AgentSettings, backend: Backend | None = None, *, wait: bool = True) -> FastAPI:
    """An agent service over ``backend`` (default: the one of the settings).

    The application's lifespan loads the checkpoint and ends the back end. With ``wait`` nothing is answered before it
    is loaded; without, probes answer meanwhile and every other call is ``not_ready``.
    Raises ``data_not_found`` for a token file that is not there.
    """
    service = AgentService(backend or make_backend(settings), settings)
    return assemble(
        service,
        Metrics(service),
        (react.router, openai.router),
        (ReactStepRequest, LoadCheckpoint, ChatRequest, CompletionRequest, OpenAiError),
        title="restep agent",
        description="ReAct steps of a language model, ids in and ids out, and the OpenAI routes. Errors are problem details.",
        tokens=settings.tokens(),
        wait=wait,
        plain_names=is_local(settings.host),
        translators=(OpenAiErrors,),
    )


def make_backend(settings: AgentSettings) -> Backend:
    """The back end that is asked for; each needs what the other does not."""
    if settings.backend == "vllm" or settings.vllm_url is not None:
        from services.agent.backends.vllm import VllmBackend

        return VllmBackend(settings)
    from services.agent.backends.transformers import TransformersBackend

    return TransformersBackend(settings)


def main(settings: AgentSettings) -> int:
    """Serve until SIGTERM; returns the exit code: 0 after a graceful end, 1 with one line on standard error otherwise."""
    configure_logging(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(settings))
    except RestepError as error:
        sys.stderr.write(f"restep: {error}\n")
        return 1
    return 0


async def _serve(settings: AgentSettings) -> None:
    app = create_app(settings, wait=False)
    service: AgentService = app.state.service
    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        await serve(
            app,
            listener,
            service="agent",
            ready=service.started,
            drain=service.drain,
            trusted_proxies=settings.trusted_proxies,
        )
