"""A model endpoint whose answers are given by the test, over real HTTP: also those that a good endpoint never gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from tests.support.live import live
from trainer.teacher.options import EndpointOptions


@dataclass(frozen=True)
class Say:
    """An answer. ``usage`` False leaves the counts of tokens out."""

    text: str
    finish: str = "stop"
    prompt_tokens: int = 100
    completion_tokens: int = 10
    usage: bool = True


@dataclass(frozen=True)
class Refuse:
    """A status with a message in OpenAI's shape."""

    status: int
    message: str = "no"
    code: str | None = None
    retry_after: str | None = None


@dataclass(frozen=True)
class Hang:
    """No answer for as long as the client waits."""


@dataclass(frozen=True)
class Cut:
    """A connection that breaks in the middle of the answer."""


@dataclass(frozen=True)
class Page:
    """Status 200 and a page instead of an answer."""


Act = Say | Refuse | Hang | Cut | Page
Script = Callable[[dict[str, Any]], Act]
"""From a request's body to what happens."""


def in_turn(acts: Iterable[Act]) -> Script:
    """One after the other, whatever is asked."""
    left = iter(acts)
    return lambda _: next(left)


@dataclass
class ModelServer:
    """``bodies`` and ``keys`` of the requests so far, and how many were answered at the same time at most."""

    script: Script
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str | None] = field(default_factory=list[str | None])
    running: int = 0
    most_running: int = 0

    def options(self, **changes: Any) -> EndpointOptions:
        """Options of an endpoint here."""
        return EndpointOptions.model_validate({"url": self.url, "model": "scripted", "patience": 5.0, "timeout": 5.0} | changes)

    async def answer(self, request: Request) -> Response:
        body = orjson.loads(await request.body())
        self.bodies.append(body)
        self.keys.append(request.headers.get("Authorization"))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._perform(self.script(body), body, request)
        finally:
            self.running -= 1

    async def _perform(self, act: Act, body: dict[str, Any], request: Request) -> Response:
        match act:
            case Say():
                await asyncio.sleep(0.01)
                return _completion(act, body)
            case Refuse():
                headers = {} if act.retry_after is None else {"Retry-After": act.retry_after}
                error = {"error": {"message": act.message, "type": "error", "code": act.code}}
                return Response(orjson.dumps(error), act.status, headers, "application/json")
            case Hang():
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                return Response(status_code=499)
            case Cut():
                return _Broken()
            case Page():
                return Response("<html>Welcome</html>", media_type="text/html")


class _Broken(Response):
    """Promises more than it sends; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "x", ', "more_body": True})


def _completion(say: Say, body: dict[str, Any]) -> Response:
    usage = {
        "prompt_tokens": say.prompt_tokens,
        "completion_tokens": say.completion_tokens,
        "total_tokens": say.prompt_tokens + say.completion_tokens,
    }
    message = {"role": "assistant", "content": say.text}
    answer = {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": say.finish}],
        **({"usage": usage} if say.usage else {}),
    }
    return Response(orjson.dumps(answer), media_type="application/json")


@asynccontextmanager
async def model_server(script: Script | Iterable[Act]) -> AsyncGenerator[ModelServer]:
    """Serve a script, or acts in turn, for the time of the block."""
    server = ModelServer(script if callable(script) else in_turn(script))
    app = FastAPI()
    app.add_route("/v1/chat/completions", server.answer, methods=["POST"])
    async with live(app) as url:
        server.url = f"{url}/v1"
        yield server
