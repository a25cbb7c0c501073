"""vLLM's HTTP interface with answers given by the test: for what a real one does once in a long while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Reply = Callable[[Request, dict[str, Any]], Awaitable[Response]]

_CUT = {"content-type": "application/json", "content-length": "1000"}


class ScriptedVllm:
    """Answers a completion with the next of ``script``, or with :func:`answer`. ``asked`` are the bodies that came."""

    def __init__(self, root: str, *script: Reply) -> None:
        self.root = root
        self.script = list(script)
        self.asked: list[dict[str, Any]] = []
        self.adapters: dict[str, str] = {}
        self.healthy = True
        self.metrics = "vllm:num_requests_running 3.0\nvllm:num_requests_waiting 2.0\nvllm:kv_cache_usage_perc 0.5\n"
        self.app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/metrics", self._metrics),
                Route("/v1/models", self._models),
                Route("/v1/completions", self._complete, methods=["POST"]),
                Route("/v1/load_lora_adapter", self._adapter, methods=["POST"]),
            ]
        )

    async def _health(self, request: Request) -> Response:
        return Response(status_code=200 if self.healthy else 503)

    async def _metrics(self, request: Request) -> Response:
        return Response(self.metrics)

    async def _models(self, request: Request) -> Response:
        base = {"id": "base-name", "root": self.root, "parent": None, "max_model_len": 512}
        adapters = [{"id": name, "root": path, "parent": "base-name"} for name, path in self.adapters.items()]
        return JSONResponse({"object": "list", "data": [base, *adapters]})

    async def _adapter(self, request: Request) -> Response:
        asked = await request.json()
        if "refused" in asked["lora_path"]:
            return JSONResponse({"error": {"message": "LoRA rank 64 is too high", "code": 400}}, 400)
        if asked["lora_name"] in self.adapters:
            return JSONResponse({"error": {"message": "The lora adapter has already been loaded.", "code": 400}}, 400)
        self.adapters[asked["lora_name"]] = asked["lora_path"]
        return Response("Success")

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if body["model"] not in ("base-name", *self.adapters):
            return JSONResponse({"error": {"message": f"The model `{body['model']}` does not exist."}}, 404)
        reply = self.script.pop(0) if self.script else answer([7, 8, 2])
        return await reply(request, body)


def answer(ids: list[int], *, finish_reason: str = "stop", cached: int = 4) -> Reply:
    """A whole answer, or the same as events, one a token, where it is asked for."""
    logprobs = [-0.5 * n for n in range(len(ids))]
    usage = {"prompt_tokens_details": {"cached_tokens": cached}}

    def part(start: int, end: int, reason: str | None) -> dict[str, Any]:
        values = {"token_logprobs": logprobs[start:end]}
        return {"choices": [{"token_ids": ids[start:end], "logprobs": values, "finish_reason": reason}]}

    async def events() -> AsyncGenerator[bytes]:
        for n in range(len(ids)):
            yield event(part(n, n + 1, finish_reason if n + 1 == len(ids) else None))
        yield event({"choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    async def reply(request: Request, body: dict[str, Any]) -> Response:
        if body.get("stream"):
            return StreamingResponse(events(), media_type="text/event-stream")
        return JSONResponse(part(0, len(ids), finish_reason) | {"usage": usage})

    return reply


def event(document: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


def says(content: bytes, status: int = 200, **headers: str) -> Reply:
    """Any answer."""

    async def reply(request: Request, body: dict[str, Any]) -> Response:
        return Response(content, status, {name.replace("_", "-"): value for name, value in headers.items()})

    return reply


def fails(status: int, **headers: str) -> Reply:
    """A failure in vLLM's words."""
    return says(orjson.dumps({"error": {"message": f"failure {status}", "code": status}}), status, **headers)


async def cut(request: Request, body: dict[str, Any]) -> Response:
    """An answer that ends before it is whole."""

    async def half() -> AsyncGenerator[bytes]:
        yield b'{"choices": ['

    return StreamingResponse(half(), headers=_CUT)


async def cut_stream(request: Request, body: dict[str, Any]) -> Response:
    """Events that end without an end."""

    async def half() -> AsyncGenerator[bytes]:
        yield event({"choices": [{"token_ids": [7], "logprobs": {"token_logprobs": [-0.25]}, "finish_reason": None}]})

    return StreamingResponse(half(), media_type="text/event-stream")


def holds(entered: asyncio.Event, left: asyncio.Event) -> Reply:
    """An answer that never comes; ``left`` is set when the client has gone."""

    async def reply(request: Request, body: dict[str, Any]) -> Response:
        entered.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left.set()
        return Response()

    return reply


def dies(server: ScriptedVllm, *, forgets: bool = False) -> Reply:
    """A failure after which the server is away for a moment; a new process ``forgets`` its adapters."""

    async def reply(request: Request, body: dict[str, Any]) -> Response:
        server.healthy = False
        if forgets:
            server.adapters.clear()
        asyncio.get_running_loop().call_later(0.2, setattr, server, "healthy", True)
        return await fails(500)(request, body)

    return reply
