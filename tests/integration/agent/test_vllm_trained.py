"""What a fine-tuning leaves is one folder that a real vLLM serves: all weights, and an adapter merged into its base."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from transformers import AutoModelForCausalLM

from services.agent.settings import AgentSettings
from tests.support.tiny_model import tiny_checkpoint
from tests.support.trajectories import sample
from tests.support.vllm_server import BASE_NAME, vllm_server
from trainer.finetune import finetune
from trainer.finetune_config import FinetuneConfig

PYTHON = os.environ.get("RESTEP_VLLM_PYTHON")
pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="needs vLLM: make vllm, RESTEP_VLLM_PYTHON"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

PROMPTS = [[1, 300 + n, *range(20, 60 + 3 * n)] for n in range(8)]
TOKENS = 16
WAYS: dict[str, dict[str, object]] = {"all weights": {}, "an adapter": {"lora": {"rank": 4}, "saved_type": "bfloat16"}}


async def served(folder: Path) -> list[list[int]]:
    """Greedy ids of vLLM with nothing but the folder."""
    assert PYTHON is not None
    settings = AgentSettings(checkpoint=str(folder), backend="vllm", kv_mib=64)
    asked = {"model": BASE_NAME, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True, "return_token_ids": True}
    async with (
        vllm_server(Path(PYTHON), folder, settings, folder.with_suffix(".log")) as url,
        httpx.AsyncClient(base_url=url, timeout=300, trust_env=False) as client,
    ):
        posts = [client.post("/completions", json={**asked, "prompt": prompt}) for prompt in PROMPTS]
        answers = [answer.raise_for_status().json() for answer in await asyncio.gather(*posts)]
    return [answer["choices"][0]["token_ids"] for answer in answers]


def greedy(folder: Path) -> list[list[int]]:
    """Those of transformers, in float32 as vLLM's build for processors computes."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def answer(prompt: Sequence[int]) -> list[int]:
        ids = list(prompt)
        for _ in range(TOKENS):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        return ids[len(prompt) :]

    with torch.inference_mode():
        return [answer(prompt) for prompt in PROMPTS]


async def test_vllm_answers_from_the_folder_of_a_training_as_transformers_does(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base", head=32, spread=0.2)
    common = {"base": str(base), "epochs": 3, "learning_rate": 1e-2, "pack_tokens": 512, "batch_tokens": 512, "device": "cpu"}
    folders = [tmp_path / name.replace(" ", "-") for name in WAYS]
    for folder, given in zip(folders, WAYS.values(), strict=True):
        finetune(FinetuneConfig.model_validate({**common, **given, "output": folder}), sample())
    expected = [greedy(folder) for folder in (base, *folders)]
    assert len({str(answers) for answers in expected}) == 3, "each training changed what the model says"
    assert await asyncio.gather(*map(served, folders)) == expected[1:]
