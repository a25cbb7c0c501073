"""One vLLM server over HTTP: completions of token ids, adapters, weights and levels.

Tells two kinds of failure apart: a :class:`RestepError` is an answer, a :class:`Trouble` may be the server's end, and
the same question may then be put to the next process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict, ValidationError

from services.agent.backends.base import Generation, Listener
from shared.agent_protocol import FinishReason, Sampling
from shared.errors import RestepError

M = TypeVar("M", bound=BaseModel)

RETRY_AFTER: Final = 1.0
_CONTROL_SECONDS: Final = 600.0
_LEVELS: Final = {
    "vllm:num_requests_waiting": "requests_waiting",
    "vllm:num_requests_running": "sequences_running",
    "vllm:kv_cache_usage_perc": "kv_cache_used",
}


class Trouble(Exception):
    """A request was not answered: raise ``error`` should the server turn out to be well; ``cut`` is no answer at all."""

    def __init__(self, error: RestepError, *, cut: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.cut = cut


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be completed. ``model`` is a name vLLM knows, ``salt`` keeps the prefix caches of checkpoints apart."""

    model: str
    salt: str
    prompt: Sequence[int]
    max_tokens: int
    stop_ids: Sequence[int]
    sampling: Sampling
    grammar: str | None = None

    def body(self, *, stream: bool) -> dict[str, Any]:
        """As vLLM takes it; every option is given, because a server's defaults may come from the checkpoint."""
        body: dict[str, Any] = {
            "model": self.model,
            "cache_salt": self.salt,
            "prompt": list(self.prompt),
            "max_tokens": self.max_tokens,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "stop_token_ids": list(self.stop_ids),
            "ignore_eos": True,  # the stop ids above say where an answer ends
            "logprobs": 0,
            "return_token_ids": True,
        }
        if self.sampling.temperature > 0:
            body["seed"] = self.sampling.seed
        if self.grammar is not None:
            body["structured_outputs"] = {"grammar": self.grammar}
        return body | ({"stream": True, "stream_options": {"include_usage": True}} if stream else {})


class Card(BaseModel):
    """A row of ``/v1/models``: ``root`` is where the weights came from, ``parent`` an adapter's base."""

    id: str
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Cards(_Answer):
    data: list[Card]


class _Logprobs(_Answer):
    token_logprobs: list[float]


class _Choice(_Answer):
    token_ids: list[int]
    logprobs: _Logprobs | None = None
    finish_reason: FinishReason | None = None


class _CachedTokens(_Answer):
    cached_tokens: int | None = None


class _Usage(_Answer):
    prompt_tokens_details: _CachedTokens | None = None


class _Completion(_Answer):
    choices: list[_Choice]
    usage: _Usage | None = None


class VllmClient:
    """Calls to one server at ``url``, or through the Unix socket ``socket``. ``timeout`` (seconds) is for one completion."""

    def __init__(self, url: str, *, timeout: float, socket: Path | None = None, token: str | None = None) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout, connect=10.0, pool=None),
            transport=httpx.AsyncHTTPTransport(
                uds=None if socket is None else str(socket),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=256),  # admission bounds them
            ),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        await self._http.aclose()

    async def healthy(self) -> bool:
        """Whether server and engine answer, asked three times: a busy machine is slow, not ill."""
        for _ in range(3):
            if self._http.is_closed:
                return False
            try:
                return (await self._http.get("/health", timeout=10.0)).is_success
            except httpx.TimeoutException:
                continue
            except httpx.TransportError:
                return False
        return False

    async def cards(self) -> list[Card]:
        """What it serves. Raises :class:`Trouble`, ``backend_failed``."""
        return _read(_Cards, (await self._call("GET", "/v1/models")).content).data

    async def complete(self, question: Question, listener: Listener | None = None) -> Generation:
        """One answer; cancelling the task ends the work there too.

        Raises :class:`Trouble`, ``queue_full`` with vLLM's Retry-After, ``invalid_request``, ``backend_failed``.
        """
        if listener is None:
            answer = _read(_Completion, (await self._call("POST", "/v1/completions", question.body(stream=False))).content)
            return _generation([answer])
        parts: list[_Completion] = []
        ids: list[int] = []
        logprobs: list[float] = []
        async for part in self._stream(question):
            parts.append(part)
            if part.choices and part.choices[0].token_ids:
                ids.extend(part.choices[0].token_ids)
                logprobs.extend(_logprobs(part.choices[0]))
                listener(ids[:], logprobs[:])
        return _generation(parts)

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Serve a LoRA adapter under ``name``; one that is there is fine. Raises ``unsuitable_model``, :class:`Trouble`."""
        try:
            await self._call("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder)})
        except (Trouble, RestepError) as refused:
            if isinstance(refused, Trouble) and (refused.cut or not await self.healthy()):
                raise
            error = refused.error if isinstance(refused, Trouble) else refused
            if "already been loaded" not in error.detail:
                raise RestepError("unsuitable_model", f"the adapter {folder} is not taken: {error.detail}") from None

    async def reload_weights(self, folder: Path) -> None:
        """Put other weights in the place of those served, and forget what was computed with them.

        Nothing may be in flight; after a failure nothing can be said of the weights.
        Raises :class:`Trouble`, ``backend_failed``, ``invalid_request``.
        """
        body = {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}}
        await self._call("POST", "/collective_rpc", body, timeout=_CONTROL_SECONDS)
        answer = orjson.loads((await self._call("POST", "/reset_prefix_cache")).content)
        if not (isinstance(answer, dict) and answer.get("success") is True):
            raise RestepError("backend_failed", "vLLM did not reset its prefix cache")

    async def levels(self) -> Mapping[str, float]:
        """Requests waiting and running, share of the key-value cache in use, of all its engines.

        Raises :class:`Trouble`, ``backend_failed``.
        """
        text = (await self._call("GET", "/metrics", timeout=10.0)).text
        try:
            families = list(text_string_to_metric_families(text))
        except ValueError as error:
            raise RestepError("backend_failed", f"vLLM's metrics cannot be read: {error}") from None
        shown = ((family, _LEVELS.get(family.name)) for family in families)
        return {name: sum(sample.value for sample in family.samples) for family, name in shown if name is not None}

    async def _call(self, method: str, path: str, body: object = None, timeout: float | None = None) -> httpx.Response:
        content = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"} if content else {}
        limit = httpx.USE_CLIENT_DEFAULT if timeout is None else timeout
        if self._http.is_closed:
            raise Trouble(RestepError("not_ready", "vLLM has been ended", retry_after=RETRY_AFTER), cut=True)
        try:
            response = await self._http.request(method, path, content=content, headers=headers, timeout=limit)
        except httpx.TransportError as error:
            raise _cut(error) from error
        if not response.is_success:
            raise _refusal(response)
        return response

    async def _stream(self, question: Question) -> AsyncGenerator[_Completion]:
        content, headers = orjson.dumps(question.body(stream=True)), {"Content-Type": "application/json"}
        try:
            async with self._http.stream("POST", "/v1/completions", content=content, headers=headers) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response)
                async for line in response.aiter_lines():
                    data = line.removeprefix("data:").strip()
                    if data == "[DONE]":
                        return
                    if '"error"' in data and "error" in (document := orjson.loads(data)):
                        raise Trouble(RestepError("backend_failed", f"vLLM: {document['error'].get('message', data)}"))
                    if data:
                        yield _read(_Completion, data.encode())
        except httpx.TransportError as error:
            raise _cut(error) from error
        raise Trouble(RestepError("backend_failed", "vLLM's stream ended early"), cut=True)


def _cut(error: httpx.TransportError) -> Trouble:
    why = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return Trouble(RestepError("timeout", f"vLLM did not answer in time ({why})"))
    return Trouble(RestepError("not_ready", f"no connection to vLLM: {why}", retry_after=RETRY_AFTER), cut=True)


def _refusal(response: httpx.Response) -> Trouble | RestepError:
    """What an answer that is no success means."""
    status, detail = response.status_code, f"vLLM: {_message(response)}"
    header = response.headers.get("Retry-After", "")
    retry_after = float(header) if header.strip().isdigit() else RETRY_AFTER
    if status == 429:
        return RestepError("queue_full", detail, retry_after=retry_after)
    if status == 503:
        return Trouble(RestepError("not_ready", detail, retry_after=retry_after))
    if status >= 500 or status in (401, 403, 404):  # 404: another process that does not know the adapter
        return Trouble(RestepError("backend_failed", detail))
    return RestepError("invalid_request", detail)


def _message(response: httpx.Response) -> str:
    try:
        document: Any = orjson.loads(response.content)
        return str(document["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"HTTP {response.status_code} {response.text[:200]}".strip()


def _read(kind: type[M], content: bytes) -> M:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise RestepError("backend_failed", f"vLLM's answer cannot be read: {where}: {first['msg']}") from None


def _logprobs(choice: _Choice) -> list[float]:
    given = choice.logprobs.token_logprobs if choice.logprobs else []
    if len(given) != len(choice.token_ids):
        raise RestepError("backend_failed", f"vLLM gave {len(choice.token_ids)} ids and {len(given)} log-probabilities")
    return given


def _generation(parts: Sequence[_Completion]) -> Generation:
    """One answer from its parts. Raises ``backend_failed`` for one that has no end."""
    choices = [part.choices[0] for part in parts if part.choices]
    reason: FinishReason | None = next((choice.finish_reason for choice in choices if choice.finish_reason), None)
    if reason is None:
        raise RestepError("backend_failed", "vLLM's answer has no finish reason")
    details = [part.usage.prompt_tokens_details for part in parts if part.usage and part.usage.prompt_tokens_details]
    return Generation(
        token_ids=[token for choice in choices for token in choice.token_ids],
        logprobs=[value for choice in choices for value in _logprobs(choice)],
        finish_reason=reason,
        cached_tokens=next((cached.cached_tokens for cached in details if cached.cached_tokens), 0),
    )


async def until_healthy(client: VllmClient, seconds: float) -> bool:
    """Wait until a server is well, ``seconds`` at most; returns whether it is."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await client.healthy():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.25)
    return True
