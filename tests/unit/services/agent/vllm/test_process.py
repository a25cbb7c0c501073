"""How vLLM is found and what it is told; its life is tested with vLLM."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from services.agent.checkpoint import open_checkpoint
from services.agent.settings import AgentSettings
from services.agent.vllm.process import Installation, arguments, find_vllm, last_words
from shared.errors import RestepError


def told(checkpoint: Path, *, cpu: bool = True, **settings: Any) -> dict[str, str]:
    """Options and their values; a flag's value is the next option."""
    given = arguments(
        AgentSettings(checkpoint=str(checkpoint), **settings), open_checkpoint(str(checkpoint)), Installation(Path("x"), cpu)
    )
    return dict(zip(given, [*given[1:], ""], strict=True))


async def test_an_interpreter_without_vllm_is_named(tmp_path: Path) -> None:
    with pytest.raises(RestepError, match="has no vLLM; `make vllm` installs it") as refused:
        await find_vllm(Path(sys.executable))
    assert refused.value.code == "missing_extra"
    with pytest.raises(RestepError, match=r"absent: No such file"):
        await find_vllm(tmp_path / "absent")


def test_limits_become_options(first: Path) -> None:
    given = told(first, max_context=512, max_batch=7, kv_mib=3, prefill_tokens=64)
    assert given["--model"] == str(first)
    assert (given["--max-model-len"], given["--max-num-seqs"]) == ("512", "7")
    assert given["--kv-cache-memory-bytes"] == str(3 << 20)
    assert given["--max-num-batched-tokens"] == "512", "a processor reads a prompt in one pass"
    assert told(first, cpu=False, prefill_tokens=64)["--max-num-batched-tokens"] == "64"
    assert given["--dtype"] == "float32"
    assert "--enable-lora" not in given
    assert told(first, max_context=9999)["--max-model-len"] == "1024", "the model allows no more"


def test_a_gpu_keeps_its_own_type_and_memory(first: Path) -> None:
    given = told(first, cpu=False)
    assert not {"--dtype", "--enforce-eager", "--kv-cache-memory-bytes", "--max-num-batched-tokens"} & given.keys()
    assert "--no-enable-chunked-prefill" not in given


def test_adapters_get_a_rank_vllm_allocates_for(first: Path) -> None:
    given = told(first, lora_rank=12)
    assert "--enable-lora" in given
    assert given["--max-lora-rank"] == "16"


def test_what_the_user_says_comes_last(first: Path) -> None:
    given = told(first, vllm_args="--max-num-seqs 3 --chat-template 'a b'")
    assert (given["--max-num-seqs"], given["--chat-template"]) == ("3", "a b")


def test_the_cause_of_an_end_is_told_and_not_that_there_was_one() -> None:
    cause = "(Worker pid=3) ERROR 11-29 12:11:14 [executor.py:953] safetensors.SafetensorError: invalid header length"
    wrote = [
        "(APIServer pid=1) WARNING 11-29 12:10:58 [utils.py:255] This can cause errors like `OSError: Too many open files`",
        "RuntimeError: an earlier one",
        cause,
        "(EngineCore pid=2) ERROR [core.py:1510] Exception: WorkerProc initialization failed. See stack trace for root cause.",
        "RuntimeError: Engine core initialization failed. See root cause above.",
    ]
    assert last_words(wrote) == cause
    assert last_words(["usage: api_server", "api_server: unrecognized arguments: --no-such"]).endswith("--no-such")
    assert last_words([]) == "it wrote nothing"
