"""The part of OpenAI's protocol that is served, as pydantic models.

What is not served is refused by name: an option that were silently ignored would be a wrong result.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.agent_protocol import Sampling

Zero = Field(default=0.0, ge=0.0, le=0.0, description="only 0 is served")
One = Annotated[int, Field(ge=1, le=1)]  # a Literal would take true for 1


def _not(value: bool) -> bool:
    if value:
        raise ValueError("only false is served")
    return value


No = Annotated[bool, AfterValidator(_not), Field(json_schema_extra={"const": False})]


class _Request(BaseModel):
    """Options both routes share. ``user``, ``metadata`` and ``store`` are taken and mean nothing here."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="name, name@hash or path of the checkpoint served")
    n: One = 1
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0.0, le=10.0, description="default 1, as OpenAI's")
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    seed: int | None = Field(default=None, ge=0)
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = Field(default=None, description="None: the checkpoint's own; [] never stops")
    frequency_penalty: float | None = Zero
    presence_penalty: float | None = Zero
    return_token_ids: bool = Field(default=False, description="answer with the ids of prompt and answer too")
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None

    def stops(self) -> list[str]:
        """The stop strings; empty ones stop nothing."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [stop for stop in given if stop]

    def sampling(self, max_tokens: int) -> Sampling:
        """The same choices for a back end."""
        return Sampling(
            max_tokens=max_tokens,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
            stop_token_ids=self.stop_token_ids,
        )


class StreamOptions(BaseModel):
    """``include_usage`` adds a last chunk with the usage and no choice."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False


class TextPart(BaseModel):
    """A part of a message's content."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """A message of a dialogue; ``developer`` is the new name of ``system``."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None

    def plain(self) -> dict[str, str]:
        """As chat templates take it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class ChatRequest(_Request):
    """``POST /v1/chat/completions``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": "base", "messages": [{"role": "user", "content": "What do you see?"}]}]},
    )

    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=0)


class CompletionRequest(_Request):
    """``POST /v1/completions``; the prompt is one text or one list of token ids."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"model": "base", "prompt": "Thought:", "max_tokens": 16}]}
    )

    prompt: str | list[int]
    max_tokens: int | None = Field(default=16, ge=1)
    logprobs: int | None = Field(default=None, ge=0, le=1, description="the sampled tokens' own; alternatives are not given")
    echo: No = False
    best_of: One | None = None


_Request.model_rebuild()


class OpenAiFailure(BaseModel):
    """What went wrong. ``code`` is a row of restep's own table of errors."""

    message: str
    type: str
    param: str | None = None
    code: str


class OpenAiError(BaseModel):
    """The body of every failure on these routes."""

    error: OpenAiFailure
