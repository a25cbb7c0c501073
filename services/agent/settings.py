"""Settings of the agent service, beside those every server has."""

from __future__ import annotations

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
