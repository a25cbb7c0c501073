"""Questions with an answer of a fixed shape: read by a schema, repaired once, and never guessed.

An answer that does not fit is sent back with what is wrong with it. When the second does not fit either, the question
has failed: that is counted and raised, and nobody takes it for a verdict.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from shared.errors import RestepError
from trainer.dialogue import Message
from trainer.teacher.cache import AnswerCache, content_key
from trainer.teacher.ledger import Purpose

if TYPE_CHECKING:
    from trainer.teacher.endpoint import Endpoint, Reply

M = TypeVar("M", bound=BaseModel)

_LENGTHS: Final = frozenset({"minLength", "maxLength"})
_LEFT_OUT: Final = frozenset({"title", "default"})
_THOUGHT_ENDS: Final = "</think>"


async def ask(endpoint: Endpoint, cache: AnswerCache, purpose: Purpose, messages: Sequence[Message], shape: type[M]) -> M:
    """The model's answer as a ``shape``, from the cache where the same was asked before.

    Raises ``malformed_answer`` when neither the answer nor its one repair fits, and what :meth:`Endpoint.complete` does.
    """
    schema = (shape.__name__.lower(), answer_schema(shape, lengths=endpoint.options.schema_lengths))
    request = endpoint.request(messages, schema)
    key = content_key(request)
    if (known := await asyncio.to_thread(cache.get, key)) is not None:
        await endpoint.note(purpose, "cached")
        return shape.model_validate_json(known)
    reply = await endpoint.complete(request, purpose)
    try:
        answer = _read(reply, shape)
    except _Misfit as misfit:
        await endpoint.note(purpose, "malformed")
        answer = await _repaired(endpoint, purpose, endpoint.request([*messages, *_sent_back(reply, misfit)], schema), shape)
    return shape.model_validate_json(await asyncio.to_thread(cache.put, key, answer.model_dump_json()))


async def _repaired(endpoint: Endpoint, purpose: Purpose, request: dict[str, Any], shape: type[M]) -> M:
    reply = await endpoint.complete(request, purpose)
    try:
        return _read(reply, shape)
    except _Misfit as misfit:
        await endpoint.note(purpose, "malformed")
        await endpoint.note(purpose, "failed", "malformed_answer")
        raise RestepError("malformed_answer", f"{reply.model}, {purpose.call}, asked twice: {misfit}") from None


def answer_schema(shape: type[BaseModel], *, lengths: bool = False) -> dict[str, Any]:
    """The JSON schema of an answer as structured output takes it: every field required, nothing else allowed."""
    return cast(dict[str, Any], _strict(shape.model_json_schema(), _LEFT_OUT if lengths else _LEFT_OUT | _LENGTHS))


def _strict(node: object, left_out: frozenset[str]) -> object:
    if isinstance(node, list):
        return [_strict(entry, left_out) for entry in cast(list[object], node)]
    if not isinstance(node, dict):
        return node
    fields = cast(dict[str, object], node)
    if isinstance(fields.get("properties"), dict):
        properties = cast(dict[str, object], fields["properties"])
        inner: dict[str, object] = {name: _strict(entry, left_out) for name, entry in properties.items()}
        kept = {name: entry for name, entry in fields.items() if name not in left_out | {"properties"}}
        strict = {"properties": inner, "required": list(inner), "additionalProperties": False}
        return cast(dict[str, object], _strict(kept, left_out)) | strict
    return {name: _strict(entry, left_out) for name, entry in fields.items() if name not in left_out}


class _Misfit(Exception):
    """Why an answer cannot be used."""


def _read(reply: Reply, shape: type[M]) -> M:
    """The JSON object in an answer.

    Forgiven are what a model thinks aloud before it, a fence around it, and control characters in texts, which
    grammars of structured output let through.
    """
    text = reply.text.rpartition(_THOUGHT_ENDS)[2]
    begin, end = text.find("{"), text.rfind("}")
    if reply.cut:
        raise _Misfit(f"cut off after {reply.completion_tokens} tokens")
    if begin < 0 or end < begin:
        raise _Misfit("no JSON object")
    try:
        return shape.model_validate(json.loads(text[begin : end + 1], strict=False))
    except (json.JSONDecodeError, RecursionError) as error:
        raise _Misfit(f"no JSON: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _Misfit(": ".join(part for part in (".".join(map(str, first["loc"])), first["msg"]) if part)) from None


def _sent_back(reply: Reply, misfit: _Misfit) -> list[Message]:
    complaint = f"That answer cannot be used ({misfit}). Answer again with one JSON object of the form asked for, nothing else."
    return [Message("assistant", reply.text or "(nothing)"), Message("user", complaint)]
