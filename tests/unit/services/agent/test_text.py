"""Pieces of text from growing ids: they add up, none is taken back, and a stop string never shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.agent.backends.base import Generation, Listener, Served
from services.agent.checkpoint import open_checkpoint
from services.agent.text import Piece, complete, stream
from shared.agent_protocol import Sampling
from tests.support.tiny_model import tiny_checkpoint


class Recital(Served):
    """Answers with given ids, one after the other."""

    def __init__(self, path: Path, ids: Sequence[int]) -> None:
        self.checkpoint = open_checkpoint(str(path))
        self.context_length = 1024
        self.ids = list(ids)

    async def generate(self, prompt: Sequence[int], sampling: Sampling, listener: Listener | None = None) -> Generation:
        logprobs = [-float(n) for n in range(len(self.ids))]
        for n in range(1, len(self.ids) + 1):
            if listener is not None:
                listener(self.ids[:n], logprobs[:n])
            await asyncio.sleep(0)
        return Generation(self.ids, logprobs, "length", 0)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("text") / "tiny")


async def pieces(served: Served, stops: Sequence[str]) -> list[Piece]:
    return [piece async for piece in stream(served, [1], Sampling(), stops)]


@given(
    text=st.text(alphabet="aé😀 b\n", min_size=1, max_size=30),
    stops=st.lists(st.text(alphabet="aé😀b", min_size=1, max_size=3)),
)
@example(text="aéa", stops=["é", "aéa"])
def test_pieces_add_up_to_the_text_before_the_stop_that_is_complete_first(path: Path, text: str, stops: list[str]) -> None:
    checkpoint = open_checkpoint(str(path))
    ids = checkpoint.encode(text)
    assert len(ids) >= len(text) // 3
    served = Recital(path, ids)
    so_far = [checkpoint.decode(ids[: n + 1]) for n in range(len(ids))]
    stopped = next((grown for grown in so_far if any(stop in grown for stop in stops)), None)
    assert (stopped is not None) == any(stop in text for stop in stops)
    expected = text if stopped is None else stopped[: min(stopped.find(stop) for stop in stops if stop in stopped)]

    given_pieces = asyncio.run(pieces(served, stops))
    assert "".join(piece.text for piece in given_pieces) == expected
    assert given_pieces[-1].finish_reason == ("length" if stopped is None else "stop")
    assert all(piece.finish_reason is None for piece in given_pieces[:-1])
    whole = asyncio.run(complete(served, [1], Sampling(), stops))
    assert (whole.text, whole.token_ids) == (expected, given_pieces[-1].token_ids)
    assert len(whole.logprobs) == len(whole.token_ids)
