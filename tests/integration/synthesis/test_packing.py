"""Packing at the lengths that trajectories really have: episodes recorded in the three original engines."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from shared.react import turn_text
from shared.trajectory import Trajectory
from tests.support.trajectories import Said, trajectory
from trainer.checkpoint import open_base
from trainer.finetune_config import FinetuneOptions
from trainer.pack import pack
from trainer.render import Rendered, Renderer
from trainer.shipped import NAME, locate

THOUGHT = "I should do that now, because it brings me nearer to the goal."
EPISODES = {"alfworld": "episodes", "sciworld": "episodes", "webshop": "transcripts"}

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set"),
]


def recorded(place: str) -> list[dict[str, Any]]:
    with lzma.open(Path(os.environ["RESTEP_DATA"]) / place / "reference" / f"{EPISODES[place]}.jsonl.xz") as lines:
        return [json.loads(line) for line in lines]


def played(place: str, first: str, steps: list[tuple[str, str]]) -> Trajectory:
    return trajectory(
        [Said("golden", turn_text(THOUGHT, action), observation) for action, observation in steps],
        observation=first,
        task=place,
    )


@pytest.fixture(scope="module")
def documents() -> list[Rendered]:
    alfworld = [played("alfworld", one["room"], [(step[0], step[1]) for step in one["steps"]]) for one in recorded("alfworld")]
    sciworld = [played("sciworld", one["look"], [(step[0], step[1]) for step in one["steps"]]) for one in recorded("sciworld")]
    webshop = [
        played("webshop", one["initial"]["text"], [(step["action"], step["text"]) for step in one["steps"]])
        for one in recorded("webshop")
    ]
    renderer = Renderer.from_tokenizer(open_base(locate(NAME)).tokenizer)
    return [renderer.render(one) for one in [*alfworld, *sciworld, *webshop]]


@pytest.mark.parametrize("pack_tokens", [FinetuneOptions().pack_tokens, 16384])
def test_rows_are_full_to_97_in_100(pack_tokens: int, documents: list[Rendered]) -> None:
    """Trajectories of at most 4,096 tokens, as Llama 2 takes them, in rows of two or four times as many."""
    packs, report = pack(documents, pack_tokens, 4096, seed=0)
    assert len(documents) == report.trajectories + sum(report.dropped.values())
    assert report.efficiency >= 0.97
    assert len(packs) == report.fewest_packs  # no packing needs fewer
    assert sum(report.cut_steps["webshop"].values()) > 0  # what is too long is cut, and told


@pytest.mark.parametrize(
    ("pack_tokens", "max_length"), [(1024, 1024), (2048, 1024), (2048, 2048), (4096, 2048), (4096, 4096), (8192, 8192)]
)
def test_no_row_length_takes_more_than_three_in_a_hundred_rows_too_many(
    pack_tokens: int, max_length: int, documents: list[Rendered]
) -> None:
    """Where trajectories of more than half a row leave rows half empty, any packing does."""
    _, report = pack(documents, pack_tokens, max_length, seed=0)
    assert report.fewest_packs <= report.packs <= 1.03 * report.fewest_packs
