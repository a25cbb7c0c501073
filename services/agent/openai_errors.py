"""Problem documents as OpenAI's clients expect errors, for the routes those clients call.

Done at the edge, on the finished answer, so that every failure (a token, a size, a validation, an exception) is
translated in one place.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import ERRORS, PROBLEM_MEDIA_TYPE, RestepError

PATHS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/models")
_TYPES: Final = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class OpenAiErrors:
    """ASGI middleware outside the problem boundary: ``{"error": {"message", "type", "param", "code"}}``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not _of_openai(scope["path"]):
            return await self._app(scope, receive, send)
        start: Message | None = None
        body = b""

        async def translated(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    content = orjson.dumps(openai_error(orjson.loads(body)))
                    await send({**start, "headers": _headers(start, len(content))})
                    await send({"type": "http.response.body", "body": content})

        return await self._app(scope, receive, translated)


def _of_openai(path: str) -> bool:
    """Whether OpenAI's clients call ``path``; they also look below the routes, for one model by its name."""
    return any(path == known or path.startswith(f"{known}/") for known in PATHS)


def openai_error(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem document in OpenAI's shape."""
    status = int(problem["status"])
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": problem["detail"], "type": kind, "param": None, "code": problem["code"]}}


def declared_openai(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI ``responses`` for rows of the error table in OpenAI's shape, one example a code."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = ERRORS[code]
        media = {"schema": {"$ref": "#/components/schemas/OpenAiError"}, "examples": {}}
        entry = by_status.setdefault(kind.status, {"description": "", "content": {"application/json": media}})
        entry["description"] = f"{entry['description']}; {kind.title}".removeprefix("; ")
        problem = RestepError(code).problem().model_dump()
        entry["content"]["application/json"]["examples"][code] = {"value": openai_error(problem)}
    return by_status


def _is_problem(start: Message) -> bool:
    return any(name == b"content-type" and value.startswith(PROBLEM_MEDIA_TYPE.encode()) for name, value in start["headers"])


def _headers(start: Message, length: int) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in start["headers"] if name not in (b"content-type", b"content-length")]
    return [*kept, (b"content-type", b"application/json"), (b"content-length", str(length).encode())]
