"""The loop that pre-trains the base.

A loop of its own instead of the Hugging Face Trainer, which the fine-tuning uses: batches change with the share of
the budget seen (a curriculum), documents are bucketed by length instead of packed, two optimisers work side by side
(Muon on the matrices, Jordan et al. 2024; AdamW on embeddings and norms: measured against AdamW alone, copying came
in half the tokens), and on a CPU every layer around a model this small costs speed. It resumes from its last
checkpoint with the very batches it would have seen.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self, cast

import numpy as np
import orjson
import torch
from pydantic import Field, model_validator
from torch import distributed
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trainer.induction import begin_with_induction
from trainer.mixture import Block, Mixture
from trainer.options import Options

log = logging.getLogger(__name__)

CHECKPOINT: Final = "checkpoint.pt"
LOG: Final = "log.jsonl"
Probe = Callable[[Any], dict[str, float]]
"""Measures a model."""


class Shape(Options):
    """Architecture of the base. Depth before width: copying needs layers that compose."""

    hidden: int = Field(default=128, ge=8, description="width")
    layers: int = Field(default=6, ge=1, description="blocks")
    head: int = Field(default=32, ge=8, description="size of an attention head")
    kv_heads: int = Field(default=2, ge=1, description="heads that hold keys and values; the agent's memory traffic")
    feed_forward: int = Field(default=352, ge=8, description="width inside a block")
    positions: int = Field(default=2048, ge=64, description="longest context in tokens")
    induction: bool = Field(default=True, description="begin with heads that copy, see trainer/induction.py")
    theta: float = Field(default=1e6, gt=1.0, description="base of the rotary positions; a larger one compares tokens further")

    @property
    def heads(self) -> int:
        """Attention heads."""
        return self.hidden // self.head

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.hidden % self.head or self.heads % self.kv_heads:
            raise ValueError("head must divide hidden, and kv_heads the number of heads")
        return self


class Schedule(Options):
    """How long and how fast. The rate warms up, stays, and falls linearly to zero over the last ``decay`` share."""

    tokens: int = Field(default=12_000_000, ge=1, description="budget; the curriculum's stages are shares of it")
    batch_tokens: int = Field(default=6000, ge=64, description="tokens of a step, over all processes")
    block_tokens: int = Field(default=4096, ge=64, description="tokens of a forward pass, padding included")
    rate: float = Field(default=3e-3, gt=0.0, description="AdamW's, for embeddings, head and norms")
    matrix_rate: float = Field(default=0.02, gt=0.0, description="Muon's, for the matrices between them")
    warmup: float = Field(default=0.01, gt=0.0, le=1.0, description="share of the budget")
    decay: float = Field(default=0.3, gt=0.0, le=1.0, description="share of the budget")
    clip: float = Field(default=1.0, gt=0.0, description="largest norm of a gradient")
    half: bool = Field(default=True, description="matrix products in bfloat16, everything else in float32")
    seed: int = 0
    checkpoint_seconds: float = Field(default=300.0, ge=0.0, description="time between checkpoints")
    log_seconds: float = Field(default=60.0, ge=0.0, description="time between measurements")


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a run is."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


def make_model(shape: Shape, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A Llama with untied embeddings that start equal: what was read can be copied out before the output is learned."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.theta},
        attention_bias=True,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=cast(int, tokenizer.eos_token_id),
        pad_token_id=cast(int, tokenizer.pad_token_id),
    )
    model: Any = LlamaForCausalLM(config)
    with torch.no_grad():
        start_alike(model.model.embed_tokens.weight, tokenizer)
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)
    if shape.induction:
        begin_with_induction(model, seed)
    return model


def start_alike(rows: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
    """Draw the rows of one word together, with and without its blank, in lower case and as in a title, to a cosine of 0.64.

    So a word can be found and copied from where it is written in another form before that is learned. In place;
    ``rows`` has shape (vocabulary, width).
    """
    first: dict[str, int] = {}
    for number in range(len(rows)):
        word = cast(str, tokenizer.convert_ids_to_tokens(number)).replace("Ġ", " ").strip().lower()
        shared = first.setdefault(word, number)
        if word and shared != number:
            rows[number] = 0.64 * rows[shared] + (1 - 0.64**2) ** 0.5 * rows[number]


def weighted_nll(model: Any, block: Block, *, half: bool) -> torch.Tensor:
    """Sum over a block of weight times negative log-likelihood; ``half`` computes products in bfloat16."""
    ids, weights = torch.from_numpy(block.ids), torch.from_numpy(block.weights)[:, 1:].reshape(-1)
    counted = weights > 0
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1].reshape(-1, model.config.hidden_size)
        logits = model.lm_head(hidden[counted])
    nll = functional.cross_entropy(logits.float(), ids[:, 1:].reshape(-1)[counted], reduction="none")
    return (nll * weights[counted]).sum()


class Optimizers:
    """Muon on the matrices between embeddings, AdamW on the rest, on one schedule."""

    def __init__(self, model: Any, schedule: Schedule) -> None:
        outer = ("embed_tokens", "lm_head")
        inner = [p for n, p in model.named_parameters() if p.ndim == 2 and not any(part in n for part in outer)]
        known = {id(p) for p in inner}
        rest = [p for p in model.parameters() if id(p) not in known]
        self.parts: list[Any] = [
            torch.optim.AdamW(rest, lr=schedule.rate, betas=(0.9, 0.98), weight_decay=0.0),
            torch.optim.Muon(inner, lr=schedule.matrix_rate, momentum=0.95, weight_decay=0.01),
        ]
        self._rates = (schedule.rate, schedule.matrix_rate)

    def step(self, scale: float) -> None:
        """One update with every rate scaled."""
        for part, rate in zip(self.parts, self._rates, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * scale
            part.step()
            part.zero_grad(set_to_none=True)


def rate_scale(schedule: Schedule, progress: float) -> float:
    """Warm-up, plateau, linear fall to zero; ``progress`` is the share of the budget seen."""
    up = min(1.0, (progress + 1e-4) / schedule.warmup)
    down = min(1.0, max(0.0, 1.0 - progress) / schedule.decay)
    return min(up, down)


def mean_gradients(model: Any, total: float) -> None:
    """Gradients of a sum made gradients of the mean over all processes; ``total`` is this process's weight.

    Two processes of one thread use two cores better than one of two threads: most operators of a model this small
    are too short to share.
    """
    grads = [p.grad for p in model.parameters()]
    flat = torch.cat([*(grad.reshape(-1) for grad in grads), torch.tensor([total])])
    if distributed.is_initialized():
        distributed.all_reduce(flat)
    flat /= flat[-1].clone()
    at = 0
    for grad in grads:
        grad.copy_(flat[at : at + grad.numel()].view_as(grad))
        at += grad.numel()


class PretrainLoop:
    """One run in a folder; constructing it again goes on from the folder's checkpoint."""

    def __init__(
        self, shape: Shape, schedule: Schedule, mixture: Mixture, tokenizer: PreTrainedTokenizerFast, out: Path
    ) -> None:
        self._schedule, self._mixture, self._out = schedule, mixture, out
        self.model: Any = make_model(shape, tokenizer, schedule.seed)
        self._optimizers = Optimizers(self.model, schedule)
        self.counts = Counts()
        self._rank = distributed.get_rank() if distributed.is_initialized() else 0
        self._ranks = distributed.get_world_size() if distributed.is_initialized() else 1
        if (out / CHECKPOINT).exists():
            self._load()

    def run(self, probe: Probe) -> None:
        """Train until the budget is spent; measure by ``probe``, log and save on the way, and save at the end."""
        schedule, start, before = self._schedule, time.monotonic(), self.counts.seconds
        logged = saved = start
        losses: list[float] = []
        while self.counts.tokens < schedule.tokens:
            losses.append(self.step())
            now = time.monotonic()
            self.counts = replace(self.counts, seconds=before + now - start)
            if self._rank == 0 and now - logged >= schedule.log_seconds:
                self._log(losses, now - logged, probe)
                logged, losses = time.monotonic(), []
            if self._rank == 0 and now - saved >= schedule.checkpoint_seconds:
                self.save()
                saved = now
        if self._rank == 0:
            if losses:
                self._log(losses, time.monotonic() - logged, probe)
            self.save()

    def step(self) -> float:
        """One optimiser step; returns the mean loss of this process's part of the batch."""
        schedule, counts = self._schedule, self.counts
        progress = counts.tokens / schedule.tokens
        number, share = counts.step * self._ranks + self._rank, schedule.batch_tokens // self._ranks
        blocks = self._mixture.batch(number, progress, share, schedule.block_tokens)
        total = float(sum(np.sum(block.weights[:, 1:]) for block in blocks))
        loss = 0.0
        for block in blocks:
            nll = weighted_nll(self.model, block, half=schedule.half)
            nll.backward()
            loss += float(nll.detach()) / total
        mean_gradients(self.model, total)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), schedule.clip)
        self._optimizers.step(rate_scale(schedule, progress))
        self.counts = replace(counts, step=counts.step + 1, tokens=counts.tokens + schedule.batch_tokens)
        return loss

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        self._out.mkdir(parents=True, exist_ok=True)
        partial = self._out / f"{CHECKPOINT}.partial"
        parts = [part.state_dict() for part in self._optimizers.parts]
        torch.save({"model": self.model.state_dict(), "parts": parts, "counts": asdict(self.counts)}, partial)
        os.replace(partial, self._out / CHECKPOINT)

    def _load(self) -> None:
        saved = torch.load(self._out / CHECKPOINT, weights_only=True)
        self.model.load_state_dict(saved["model"])
        for part, state in zip(self._optimizers.parts, saved["parts"], strict=True):
            part.load_state_dict(state)
        self.counts = Counts(**saved["counts"])

    def _log(self, losses: list[float], seconds: float, probe: Probe) -> None:
        speed = round(len(losses) * self._schedule.batch_tokens / max(seconds, 1e-9))
        line = {
            **asdict(self.counts),
            "loss": round(float(np.mean(losses)), 4),
            "tokens_per_second": speed,
            **probe(self.model),
        }
        log.info("%s", orjson.dumps(line).decode())
        with (self._out / LOG).open("ab") as file:
            file.write(orjson.dumps(line) + b"\n")
