"""OpenAI-compatible routes: the same back end for clients that speak text and messages."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from services.agent.backends.base import Served
from services.agent.openai_errors import declared_openai
from services.agent.openai_protocol import ChatRequest, CompletionRequest
from services.agent.service import AgentService
from services.agent.text import Piece, complete, stream
from services.http.boundary import problem_response
from services.http.leaving import unless_left
from services.http.wire import body_of, read
from shared.errors import RestepError

router = APIRouter(prefix="/v1", tags=["openai"])

_EVERYWHERE = ("unauthorized", "not_ready")
_FAILURES = declared_openai(
    *_EVERYWHERE,
    "malformed_json",
    "invalid_request",
    "body_too_large",
    "unknown_model",
    "prompt_too_long",
    "queue_full",
    "backend_failed",
    "timeout",
    "draining",
)

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer; with `stream` its chunks as events, then [DONE]", "content": {"text/event-stream": {}}}
}


@dataclass(frozen=True, slots=True)
class _Call:
    """One request, resolved: what answers, to which ids, and how the answer is written."""

    asked: ChatRequest | CompletionRequest
    served: Served
    prompt: list[int]
    id: str
    created: int

    @property
    def chat(self) -> bool:
        return isinstance(self.asked, ChatRequest)

    def document(self, kind: str, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        """The frame around choices."""
        model = self.served.checkpoint.model
        document = {"id": self.id, "object": kind, "created": self.created, "model": model, "choices": choices}
        return {**document, "usage": usage} if usage is not None else document

    def usage(self, piece: Piece) -> dict[str, Any]:
        """Tokens, as counted by the back end."""
        prompt, answer = len(self.prompt), len(piece.token_ids)
        details = {"cached_tokens": piece.cached_tokens}
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
            "prompt_tokens_details": details,
        }


@router.get("/models", responses=declared_openai(*_EVERYWHERE))
async def models(request: Request) -> Response:
    """The checkpoint served."""
    service: AgentService = request.app.state.service
    info = service.backend.info()
    model = {"id": info.model, "object": "model", "created": 0, "owned_by": "restep", "max_model_len": info.context_length}
    return _json({"object": "list", "data": [model]})


@router.post("/chat/completions", openapi_extra=body_of(ChatRequest), responses={**_FAILURES, **_EVENTS})
async def chat_completions(request: Request) -> Response:
    """One answer to a dialogue, whole or as server-sent events."""
    asked = await read(request, ChatRequest)
    service: AgentService = request.app.state.service
    served = _served(service, asked.model)
    prompt = served.checkpoint.encode_chat([message.plain() for message in asked.messages])
    longest = asked.max_completion_tokens or asked.max_tokens or served.context_length
    return await _answer(request, _Call(asked, served, prompt, f"chatcmpl-{uuid4().hex}", int(time.time())), longest)


@router.post("/completions", openapi_extra=body_of(CompletionRequest), responses={**_FAILURES, **_EVENTS})
async def completions(request: Request) -> Response:
    """The continuation of a text or of token ids, whole or as server-sent events."""
    asked = await read(request, CompletionRequest)
    service: AgentService = request.app.state.service
    served = _served(service, asked.model)
    prompt = served.checkpoint.encode(asked.prompt) if isinstance(asked.prompt, str) else asked.prompt
    longest = asked.max_tokens or served.context_length
    return await _answer(request, _Call(asked, served, prompt, f"cmpl-{uuid4().hex}", int(time.time())), longest)


def _served(service: AgentService, model: str) -> Served:
    served = service.backend.current()
    checkpoint = served.checkpoint
    if model not in (checkpoint.model, checkpoint.model.rpartition("@")[0], checkpoint.source):
        raise RestepError("unknown_model", f"{model} is not served; {checkpoint.model} is")
    return served


async def _answer(request: Request, call: _Call, longest: int) -> Response:
    service: AgentService = request.app.state.service
    sampling, stops = call.asked.sampling(longest), call.asked.stops()
    if call.asked.stream:
        events = _events(service, call, stream(call.served, call.prompt, sampling, stops))
        first = await unless_left(request, _first(events))  # a refusal still becomes a status
        return StreamingResponse(_after(first, events), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def work() -> Piece:
        with service.working():
            return await complete(call.served, call.prompt, sampling, stops)

    piece = await unless_left(request, work())
    kind = "chat.completion" if call.chat else "text_completion"
    choice: dict[str, Any] = {"index": 0, "finish_reason": piece.finish_reason, "logprobs": _logprobs(call, piece, 0)}
    choice |= {"message": {"role": "assistant", "content": piece.text}} if call.chat else {"text": piece.text}
    document = call.document(kind, [choice], call.usage(piece))
    if call.asked.return_token_ids:
        choice["token_ids"] = piece.token_ids
        (document if call.chat else choice)["prompt_token_ids"] = call.prompt
    return _json(document)


async def _events(service: AgentService, call: _Call, pieces: AsyncGenerator[Piece]) -> AsyncGenerator[bytes]:
    """Server-sent events: a chunk a piece, the usage if asked for, and ``[DONE]``. A late failure is an event too."""
    kind = "chat.completion.chunk" if call.chat else "text_completion"
    reported = 0
    try:
        with service.working():
            async for piece in pieces:
                choice: dict[str, Any] = {"index": 0, "finish_reason": piece.finish_reason}
                choice["logprobs"] = _logprobs(call, piece, reported)
                if call.chat:
                    choice["delta"] = {"content": piece.text} | ({} if reported else {"role": "assistant"})
                else:
                    choice["text"] = piece.text
                if call.asked.return_token_ids:
                    choice["token_ids"] = piece.token_ids[reported:]
                reported = len(piece.token_ids)
                yield _event(call.document(kind, [choice], None))
                if piece.finish_reason and call.asked.stream_options and call.asked.stream_options.include_usage:
                    yield _event(call.document(kind, [], call.usage(piece)))
    finally:
        await pieces.aclose()
    yield b"data: [DONE]\n\n"


async def _first(events: AsyncGenerator[bytes]) -> bytes:
    return await anext(events)


async def _after(first: bytes, events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for event in events:
            yield event
    except RestepError as error:
        problem = orjson.loads(bytes(problem_response(error).body))
        yield _event({"error": {"message": problem["detail"], "code": problem["code"], "type": "server_error"}})
    finally:
        await events.aclose()


def _logprobs(call: _Call, piece: Piece, start: int) -> dict[str, Any] | None:
    """Log-probabilities of the tokens from ``start`` on, in the shape of the route; None when not asked for."""
    if call.asked.logprobs is None or call.asked.logprobs is False:
        return None
    ids, values = piece.token_ids[start:], piece.logprobs[start:]
    texts = [call.served.checkpoint.token(token) for token in ids]
    if call.chat:
        return {"content": [_chat_token(text, value) for text, value in zip(texts, values, strict=True)], "refusal": None}
    return {
        "tokens": texts,
        "token_logprobs": values,
        "top_logprobs": [{text: value} for text, value in zip(texts, values, strict=True)],
        "text_offset": _offsets(texts),
    }


def _chat_token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}


def _offsets(texts: Sequence[str]) -> list[int]:
    """Where each token's text begins in the answer."""
    starts = [0]
    for text in texts[:-1]:
        starts.append(starts[-1] + len(text))
    return starts[: len(texts)]


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"
