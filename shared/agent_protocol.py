"""The native protocol of the agent service: token ids in, token ids out.

The caller renders the dialogue and keeps the ids, so that what the model was given and gave is what is later trained
on; the service samples, and reads the answer as a ReAct turn (shared/react.py) for whoever wants the text.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
FinishReason = Literal["stop", "length"]
ChatFormatName = Literal["chatml", "template", "none"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Sampling(_Request):
    """How an answer is drawn. The same seed, prompt and checkpoint give the same answer, whoever shares the batch."""

    max_tokens: int = Field(default=96, ge=1, description="longest answer; cut to the room the context leaves")
    temperature: float = Field(default=0.0, ge=0.0, le=10.0, description="0 takes the most likely token")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="nucleus")
    seed: int | None = Field(default=None, ge=0, description="None draws a fresh one")
    stop_token_ids: list[int] | None = Field(default=None, description="None: the checkpoint's own; [] never stops")
    logprobs: bool = Field(default=False, description="log-probabilities of the sampled ids, before temperature and top_p")
    admissible_actions: list[Annotated[str, Field(pattern=r"^[^\r\n]+$")]] | None = Field(
        default=None,
        min_length=1,
        description="vllm back end: the answer must be one line of thought and one of these actions. "
        "None (the published protocol) leaves it free",
    )


class ReactStepRequest(Sampling):
    """A rendered dialogue, generation prompt included, and how to answer it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prompt_token_ids": [1, 42, 7], "max_tokens": 64, "logprobs": True}]}
    )

    prompt_token_ids: TokenIds
    model: str | None = Field(
        default=None, description="the checkpoint that must answer, as AgentInfo names it; another one refuses (unknown_model)"
    )
    stop: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[], description="texts that end an answer before them, e.g. an observation that the model makes up"
    )


class Usage(_Answer):
    """Tokens of one request; ``cached_tokens`` of the prompt were not computed again."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class AgentTurn(_Answer):
    """One answer. ``text`` is without what stopped it: the stop id at the end of ``token_ids``, or a text of ``stop``."""

    token_ids: list[int]
    logprobs: list[float] | None
    text: str
    thought: str
    action: str
    format_error: str | None = Field(description="why the answer is not a ReAct turn; None when it is")
    finish_reason: FinishReason
    model: str = Field(description="checkpoint that answered: its name and the start of its content hash")
    usage: Usage


class AgentInfo(_Answer):
    """What answers at this address, and what a client needs to render prompts for it."""

    backend: str
    model: str = Field(description="checkpoint: its name and the start of its content hash")
    checkpoint: str = Field(description="the folder or name it was loaded from")
    tokenizer_hash: str = Field(description="of tokenizer.json; ids mean the same only where it is equal")
    vocabulary: int
    context_length: int = Field(description="tokens of prompt and answer together")
    chat_format: ChatFormatName
    stop_token_ids: list[int]
    max_batch: int
    in_flight: int = Field(default=0, description="requests that are being answered or wait")


class LoadCheckpoint(_Request):
    """A folder on the server's machine, or a Hugging Face name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"path": "runs/demo/golden-all"}]})

    path: str = Field(min_length=1)
