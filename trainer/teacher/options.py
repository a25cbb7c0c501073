"""What a recipe says of its teacher: who it is, and of a language model where it answers, how it is asked and what it may cost.

A key never stands in a recipe, which is stored and printed: it comes from an environment variable or a file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from shared.errors import RestepError
from trainer.options import Options


class EndpointOptions(Options):
    """One model behind an OpenAI-compatible endpoint."""

    url: str = Field(pattern=r"^https?://\S+$", description="base address of its routes, e.g. http://127.0.0.1:8000/v1")
    model: str = Field(min_length=1, description="the model's name there")
    key_env: str = Field(
        default="RESTEP_TEACHER_KEY", pattern=r"^[A-Z][A-Z0-9_]*$", description="environment variable that holds the key"
    )
    key_file: Annotated[Path, AfterValidator(Path.absolute)] | None = Field(
        default=None, description="file that holds the key; goes before the variable"
    )
    concurrency: int = Field(default=16, ge=1, description="requests in flight")
    timeout: float = Field(default=120.0, gt=0, description="seconds that one try may take")
    patience: float = Field(default=300.0, ge=0, description="seconds over which a failing request is tried again")
    max_tokens: int = Field(default=1024, ge=1, description="longest answer")
    token_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="how the endpoint calls that limit; hosted reasoning models take the second"
    )
    temperature: float | None = Field(default=0.0, ge=0.0, description="None leaves it to the endpoint")
    top_p: float | None = Field(default=None, gt=0.0, le=1.0, description="None leaves it to the endpoint")
    seed: int | None = Field(default=0, description="None sends none")
    output: Literal["json_schema", "json_object", "text"] = Field(
        default="json_schema",
        description="how an answer is held to its schema: by the endpoint, to be JSON at all, or by the prompt alone",
    )
    schema_lengths: bool = Field(
        default=False, description="send the schema with lengths of texts: vLLM keeps them, hosted endpoints may refuse them"
    )
    extra: dict[str, Any] = Field(default={}, description="further fields of the request, e.g. chat_template_kwargs")

    def key(self) -> str | None:
        """The key, None where there is none. Raises ``data_not_found`` for a file without one."""
        if self.key_file is None:
            return os.environ.get(self.key_env) or None
        try:
            key = self.key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise RestepError("data_not_found", f"key file {self.key_file}: {why}") from None
        if not key:
            raise RestepError("data_not_found", f"key file {self.key_file} is empty")
        return key


class Prices(Options):
    """What a million tokens cost, in whatever currency the budget is in."""

    prompt: float = Field(ge=0.0)
    completion: float = Field(ge=0.0)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Of one answer."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


class Budget(Options):
    """What a run may spend on the model, restarts included. It may be raised between two starts."""

    tokens: int | None = Field(default=None, ge=1, description="prompt and completion tokens together")
    cost: float | None = Field(default=None, gt=0.0, description="in the currency of the prices, which it needs")


Shown = Literal["none", "expert", "golden"]
"""What a model may know that the student does not: nothing, how the environment's expert would go on, or a solution."""


class TeacherOptions(Options):
    """Who judges and repairs on U2."""

    kind: Literal["expert", "llm", "hybrid"] = Field(
        default="expert",
        description="the environment's own expert; a language model; or one that is shown how the expert would go on",
    )
    endpoint: EndpointOptions | None = Field(default=None, description="where the model answers; llm and hybrid need it")
    calls: Literal["two", "combined"] = Field(
        default="two", description="judge and repair in a question each, or both in the answer to one"
    )
    reference: Shown | None = Field(default=None, description="private reference; None: the expert for hybrid, none for llm")
    history: int | None = Field(default=None, ge=0, description="earlier steps that are shown, the latest; None shows all")
    prompts: Path | None = Field(default=None, description="folder of prompt files; None takes those that come along")
    prompt_version: str = Field(default="v1", pattern=r"^[A-Za-z0-9_.-]+$", description="which version of the prompt files")
    budget: Budget = Budget()
    prices: Prices | None = None

    @property
    def shown(self) -> Shown:
        """The private reference that is shown."""
        return self.reference or ("expert" if self.kind == "hybrid" else "none")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind != "expert" and self.endpoint is None:
            raise ValueError(f"endpoint: a teacher of kind {self.kind!r} needs one")
        if self.kind == "expert" and self.reference is not None:
            raise ValueError("reference: only a language model is shown one")
        if self.kind == "hybrid" and self.shown != "expert":
            raise ValueError(f"reference: a hybrid is shown the expert; with {self.reference!r} the kind is 'llm'")
        if self.budget.cost is not None and self.prices is None:
            raise ValueError("budget.cost: needs prices")
        return self
