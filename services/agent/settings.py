"""Settings of the agent service, beside those every server has."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.settings import ServerSettings


class AgentSettings(ServerSettings):
    """``RESTEP_CHECKPOINT`` and its like, or keyword arguments."""

    checkpoint: str = Field(description="folder of the checkpoint to serve, or a Hugging Face name")
    threads: int = Field(default=1, ge=1, description="CPU threads of the model; more pay only on cores nobody else uses")
    max_batch: int = Field(default=64, ge=1, description="sequences computed together")
    queue: int = Field(default=1024, ge=1, description="requests that may wait; over it a request answers 429")
    max_context: int = Field(default=4096, ge=16, description="tokens of a sequence, where the model allows more")
    kv_mib: int = Field(default=2048, ge=1, description="memory for keys and values, of running and remembered sequences")
    prefill_tokens: int = Field(
        default=1024, ge=16, description="prompt tokens computed in one pass; bounds the wait of others"
    )
    backend: Literal["transformers", "vllm"] = Field(default="transformers", description="embedded, or a vLLM process")
    vllm_python: Path | None = Field(default=None, description="interpreter that has vLLM; none: this one")
    vllm_args: str = Field(default="", description="more arguments of vLLM's server, as on a command line")
    vllm_url: str | None = Field(default=None, description="a vLLM that runs already and serves the checkpoint; implies vllm")
    vllm_key_file: Path | None = Field(default=None, description="file with the API key of the vLLM at vllm_url")
    lora_rank: int = Field(default=0, ge=0, description="vllm: largest rank of the LoRA adapters it is given; 0 takes none")
    answer_seconds: float = Field(default=240.0, gt=0, description="vllm: one answer may take so long; then 504")
    start_seconds: float = Field(default=900.0, gt=0, description="vllm: its start may take so long")
