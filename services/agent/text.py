"""An answer as text while it is being sampled: for streaming, and for stop strings, which only text can show.

Ids are decoded as a whole each time, because a token may be a piece of a character. What might still change (half a
character, the beginning of a stop string) is held back, so that no piece is ever taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from services.agent.backends.base import Generation, Served
from shared.agent_protocol import FinishReason, Sampling

_HALF_CHARACTER = "\ufffd"


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is new and final. The last piece has a ``finish_reason``; ids and log-probabilities are of all so far."""

    text: str
    token_ids: list[int]
    logprobs: list[float]
    finish_reason: FinishReason | None = None
    cached_tokens: int = 0


async def stream(served: Served, prompt: Sequence[int], sampling: Sampling, stops: Sequence[str]) -> AsyncGenerator[Piece]:
    """The answer in pieces, cut before the one of ``stops`` that is complete first. Raises what :meth:`Served.generate` does.

    Closing the generator cancels the work. A cut answer keeps the ids up to the one that completed the stop string.
    """
    arrived: asyncio.Queue[tuple[list[int], list[float]] | None] = asyncio.Queue()
    task = asyncio.ensure_future(served.generate(prompt, sampling, lambda ids, logprobs: arrived.put_nowait((ids, logprobs))))
    task.add_done_callback(lambda _: arrived.put_nowait(None))
    given = ""
    try:
        while (news := await arrived.get()) is not None:
            ids, logprobs = news
            text = served.checkpoint.decode(ids)
            found = [place for place in (text.find(stop) for stop in stops) if place >= 0]
            if found:
                yield Piece(text[len(given) : min(found)], ids, logprobs, "stop")
                return
            safe = text[: len(text) - _unsure(text, stops)]
            if len(safe) > len(given):
                yield Piece(safe[len(given) :], ids, logprobs)
                given = safe
        whole = task.result()
        yield Piece(answer_text(served, whole)[len(given) :], *_outcome(whole))
    finally:
        task.cancel()


async def complete(served: Served, prompt: Sequence[int], sampling: Sampling, stops: Sequence[str]) -> Piece:
    """The whole answer as one piece."""
    if not stops:
        whole = await served.generate(prompt, sampling)
        return Piece(answer_text(served, whole), *_outcome(whole))
    pieces = [piece async for piece in stream(served, prompt, sampling, stops)]
    last = pieces[-1]
    text = "".join(piece.text for piece in pieces)
    return Piece(text, last.token_ids, last.logprobs, last.finish_reason, last.cached_tokens)


def answer_text(served: Served, generation: Generation) -> str:
    """The text of an answer, without the id it stopped on."""
    ids = generation.token_ids[:-1] if generation.finish_reason == "stop" else generation.token_ids
    return served.checkpoint.decode(ids)


def _outcome(whole: Generation) -> tuple[list[int], list[float], FinishReason, int]:
    return whole.token_ids, whole.logprobs, whole.finish_reason, whole.cached_tokens


def _unsure(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end may still become something else."""
    whole = text.rstrip(_HALF_CHARACTER)
    half = len(text) - len(whole)
    for size in range(min(len(whole), max(map(len, stops), default=1) - 1), 0, -1):
        if any(stop.startswith(whole[-size:]) for stop in stops):
            return size + half
    return half
