"""One model behind an OpenAI-compatible endpoint, asked until it answers: retries, a limit on requests, the books.

Retried are connections that fail or break, time-outs, and 408, 409, 425, 429 and 5xx; a Retry-After is waited for
exactly, otherwise the wait doubles. The client's own retries are off, because they would neither be counted nor be
bounded by our patience. Whatever goes wrong in the end is one :class:`shared.errors.RestepError`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from socket import gethostname
from typing import Any, Final, Self, cast

import openai
from openai.types.chat import ChatCompletion

from shared.client.transport import RetryPolicy, retry_after_seconds
from shared.errors import RestepError
from trainer.dialogue import Message
from trainer.teacher.ledger import Kind, Ledger, Purpose
from trainer.teacher.options import EndpointOptions

_sleep = asyncio.sleep

log = logging.getLogger(__name__)

_RETRIED: Final = frozenset({408, 409, 425, 429})
_CODES: Final = {401: "unauthorized", 403: "unauthorized", 404: "unknown_model", 429: "over_capacity"}
_SHOWN: Final = 300
"""Characters of a server's own words in an error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said. ``cut``: the limit of tokens ended it."""

    text: str
    model: str
    cut: bool
    prompt_tokens: int
    completion_tokens: int


class Endpoint:
    """Use as an async context manager. Many questions may be asked at once; ``concurrency`` of them are sent."""

    def __init__(self, options: EndpointOptions, ledger: Ledger, retry: RetryPolicy | None = None) -> None:
        """Nothing is sent yet. ``retry`` overrides the waits between tries. Raises what :meth:`EndpointOptions.key` does."""
        self.options, self.ledger = options, ledger
        self._retry = retry or RetryPolicy(patience=options.patience, base=0.5, cap=30.0)
        self._slots = asyncio.Semaphore(options.concurrency)
        self._answered = False
        self._writing: set[asyncio.Future[None]] = set()
        self._key = options.key()
        # A server without keys takes any; the client refuses to be without, and would else take one meant for elsewhere.
        self._client = openai.AsyncOpenAI(
            base_url=options.url, api_key=self._key or "none", timeout=options.timeout, max_retries=0
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writing:
            await asyncio.wait(self._writing)
        await self._client.close()

    def request(self, messages: Sequence[Message], schema: tuple[str, dict[str, Any]] | None = None) -> dict[str, Any]:
        """The body of a question; ``schema`` is a name and a JSON schema that the answer has to follow."""
        options = self.options
        body: dict[str, Any] = {
            "model": options.model,
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            options.token_field: options.max_tokens,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": options.seed,
        }
        if schema is not None and options.output == "json_schema":
            name, definition = schema
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": name, "schema": definition, "strict": True},
            }
        elif schema is not None and options.output == "json_object":
            body["response_format"] = {"type": "json_object"}
        return {field: value for field, value in body.items() if value is not None} | options.extra

    async def complete(self, request: dict[str, Any], purpose: Purpose) -> Reply:
        """The answer to a body of :meth:`request`.

        Raises ``budget_exhausted`` before anything is sent; ``unauthorized``, ``unknown_model``, ``prompt_too_long``,
        ``invalid_request`` for what is refused; ``over_capacity``, ``backend_failed``, ``timeout``, ``unreachable``
        when it fails for longer than the patience; ``protocol_violation`` for an answer without text or usage.
        """
        try:
            return await self._persist(request, purpose)
        except RestepError as error:
            await self.note(purpose, "failed", error.code)
            raise

    async def note(self, purpose: Purpose, kind: Kind, cause: str = "") -> None:
        """See :meth:`Ledger.note`."""
        await self._write(partial(self.ledger.note, purpose, kind, cause))

    async def _write(self, write: Callable[[], None]) -> None:
        """Into the books, also when whoever asked is cancelled meanwhile: what was answered is paid."""
        writing = asyncio.get_running_loop().run_in_executor(None, write)
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.shield(writing)

    async def _persist(self, request: dict[str, Any], purpose: Purpose) -> Reply:
        first_failure: float | None = None
        tries = 0
        while True:
            async with self._slots:
                await asyncio.to_thread(self.ledger.check)
                try:
                    return await self._read(await self._once(request), purpose)
                except openai.OpenAIError as problem:
                    error, again = _failure(problem, self.options, self._key)
                    self._answered |= isinstance(problem, openai.APIStatusError)
                    await self.note(purpose, "unanswered", error.code)
            tries += 1
            now = time.monotonic()
            first_failure = now if first_failure is None else first_failure
            wait = self._retry.backoff(tries) if error.retry_after is None else error.retry_after
            patience = self._retry.patience if self._answered else min(self._retry.patience, self._retry.first_contact)
            if not again or now + wait > first_failure + patience:
                raise error
            log.debug("%s failed (%s); try %d in %.2f s", purpose, error, tries + 1, wait)
            await _sleep(wait)

    async def _once(self, request: dict[str, Any]) -> ChatCompletion:
        try:
            # The client's own time-out is one of silence; this one is of the whole try.
            async with asyncio.timeout(self.options.timeout):
                create = cast(Any, self._client.chat.completions.create)
                model, messages, rest = _split(request)
                return await create(model=model, messages=messages, extra_body=rest)
        except TimeoutError:
            raise _TimedOut from None

    async def _read(self, completion: ChatCompletion, purpose: Purpose) -> Reply:
        self._answered = True
        if not isinstance(completion, ChatCompletion):  # pyright: ignore[reportUnnecessaryIsInstance]  # a page is passed on as it is
            raise RestepError("protocol_violation", f"{self.options.url}: an answer that is no chat completion")
        usage = completion.usage
        if usage is None or not completion.choices:
            missing = "usage, without which no budget could hold" if usage is None else "choices"
            raise RestepError("protocol_violation", f"{self.options.url}: an answer without {missing}")
        await self._write(partial(self.ledger.answered, purpose, usage.prompt_tokens, usage.completion_tokens))
        choice = completion.choices[0]
        return Reply(
            text=choice.message.content or "",
            model=completion.model,
            cut=choice.finish_reason == "length",
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )


class _TimedOut(openai.OpenAIError):
    """A try took longer than it may."""


def _split(request: dict[str, Any]) -> tuple[str, list[Any], dict[str, Any]]:
    rest = dict(request)
    return rest.pop("model"), rest.pop("messages"), rest


def _failure(problem: openai.OpenAIError, options: EndpointOptions, key: str | None) -> tuple[RestepError, bool]:
    """A failed try in our own words, and whether another may succeed."""
    if isinstance(problem, _TimedOut | openai.APITimeoutError):
        return RestepError("timeout", f"no answer from {options.url} within {options.timeout:g} s"), True
    if isinstance(problem, openai.APIStatusError):
        return _refusal(problem, options, key)
    if isinstance(problem, openai.APIConnectionError):
        cause = str(problem.__cause__ or problem) or type(problem.__cause__).__name__
        return RestepError("unreachable", f"{options.url}: {cause}"), True
    return RestepError("protocol_violation", f"{options.url}: {problem}"), False


def _refusal(problem: openai.APIStatusError, options: EndpointOptions, key: str | None) -> tuple[RestepError, bool]:
    # A server may repeat what it was sent; errors are kept and printed.
    said = (problem.message.replace(key, "(the key)") if key else problem.message)[:_SHOWN]
    status = problem.status_code
    detail = f"{options.url}: HTTP {status}: {said}"
    if status in (401, 403):
        # Not in the server's words, which may repeat the key.
        where = options.key_file or options.key_env
        why = f"the key of {where} is not accepted" if key else f"it wants a key, and {where} is not set on {gethostname()}"
        return RestepError("unauthorized", f"{options.url}: HTTP {status}: {why}"), False
    if problem.code == "insufficient_quota":
        return RestepError("budget_exhausted", detail), False
    if problem.code == "context_length_exceeded" or (status == 400 and "context length" in said):
        return RestepError("prompt_too_long", detail), False
    code = _CODES.get(status, "backend_failed" if status >= 500 else "invalid_request")
    wait = retry_after_seconds(problem.response.headers.get("Retry-After"))
    return RestepError(code, detail, retry_after=wait), status in _RETRIED or status >= 500
