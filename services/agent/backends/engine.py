"""Continuous batching on one thread: sequences join and leave the running batch between two forward passes.

Every pass computes one token of each sequence that is sampling and as many prompt tokens of newcomers as the budget
allows; nobody waits for the longest answer, and a long prompt delays the others by one pass at a time.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel

from services.agent.backends.base import Generation, Listener
from services.agent.backends.ragged import Chunk, KvPool, forward
from services.agent.backends.sampling import sample
from services.agent.backends.slots import SlotTable
from shared.errors import RestepError

log = logging.getLogger(__name__)

_RETRY_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one engine; see :class:`services.agent.settings.AgentSettings`. ``context`` in tokens."""

    context: int
    slots: int
    max_batch: int
    queue: int
    prefill_tokens: int
    threads: int


@dataclass(frozen=True, slots=True)
class Job:
    """One request as the engine takes it."""

    prompt: Sequence[int]
    max_tokens: int
    temperature: float
    top_p: float
    stop_ids: frozenset[int]
    rng: random.Random
    listener: Listener | None = None
    future: Future[Generation] = field(default_factory=Future[Generation])


@dataclass(slots=True)
class _Row:
    """A sequence in the batch. ``past`` of its ids are in the pool."""

    job: Job
    slot: int
    ids: list[int]
    past: int
    cached: int
    logprobs: list[float] = field(default_factory=list[float])

    @property
    def answer(self) -> list[int]:
        return self.ids[len(self.job.prompt) :]


@dataclass(slots=True)
class Totals:
    """What an engine has done; read by /metrics. ``busy_seconds`` is the time its passes took."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    passes: int = 0
    cancelled: int = 0
    busy_seconds: float = 0.0


class Engine:
    """One model on one thread. ``model`` must have gone through :func:`services.agent.backends.ragged.prepare`."""

    def __init__(self, model: PreTrainedModel, limits: Limits) -> None:
        self.totals = Totals()
        self.limits = limits
        self._model = model
        self._pool = KvPool(limits.slots, limits.context)
        self._table = SlotTable(limits.slots)
        self._waiting: deque[Job] = deque()
        self._rows: list[_Row] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="agent-engine", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; its future gets the answer, and cancelling that future cancels the work. Raises ``queue_full``."""
        with self._changed:
            if self._closing:
                raise RestepError("not_ready", "this checkpoint is being replaced", retry_after=_RETRY_AFTER)
            if len(self._waiting) >= self.limits.queue:
                raise RestepError("queue_full", f"{len(self._waiting)} requests are waiting", retry_after=_RETRY_AFTER)
            self._waiting.append(job)
            self._changed.notify()

    def close(self) -> None:
        """Take no more; the thread ends when what was taken is finished. Returns at once."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    @property
    def load(self) -> tuple[int, int, int]:
        """Requests waiting, sequences running, slots that remember a finished sequence."""
        return len(self._waiting), len(self._rows), self._table.remembered

    def _run(self) -> None:
        torch.set_num_threads(self.limits.threads)
        with torch.inference_mode():
            while self._admit():
                self._drop_cancelled()
                if not self._rows:
                    continue
                began = time.monotonic()
                try:
                    self._pass()
                except Exception:
                    log.exception("a forward pass failed; %d requests are lost", len(self._rows))
                    self._fail(RestepError("backend_failed", "the forward pass failed"))
                self.totals.busy_seconds += time.monotonic() - began

    def _admit(self) -> bool:
        """Take waiting jobs into the batch, sleeping while there is nothing to do. False when all is done."""
        with self._changed:
            while not (self._waiting or self._rows or self._closing):
                self._changed.wait()
            taken: list[Job] = []
            room = min(self.limits.max_batch - len(self._rows), self._table.available)
            while self._waiting and len(taken) < room:
                taken.append(self._waiting.popleft())
        for job in taken:
            self._start(job)
        return bool(self._rows) or not self._closing

    def _start(self, job: Job) -> None:
        lease = self._table.acquire(job.prompt)
        if lease.source is not None:
            self._pool.copy(lease.source, lease.slot, lease.reused)
        self._rows.append(_Row(job, lease.slot, list(job.prompt), lease.reused, lease.reused))
        self.totals.requests += 1
        self.totals.prompt_tokens += len(job.prompt)
        self.totals.cached_tokens += lease.reused

    def _drop_cancelled(self) -> None:
        for row in [row for row in self._rows if row.job.future.cancelled()]:
            self.totals.cancelled += 1
            self._leave(row)

    def _pass(self) -> None:
        rows, chunks, wanted = self._plan()
        logits = forward(self._model, self._pool, chunks, wanted)
        for row, chunk in zip(rows, chunks, strict=True):
            row.past += len(chunk.ids)
        self.totals.passes += 1
        sampling = [rows[index] for index in wanted]
        if not sampling:
            return
        jobs = [row.job for row in sampling]
        uniforms = [job.rng.random() for job in jobs]
        ids, logprobs = sample(logits, [job.temperature for job in jobs], [job.top_p for job in jobs], uniforms)
        for row, token, logprob in zip(sampling, ids, logprobs, strict=True):
            self._append(row, token, logprob)

    def _plan(self) -> tuple[list[_Row], list[Chunk], list[int]]:
        """Rows of the next pass, their new ids, and the places of those that reach their last id."""
        rows: list[_Row] = []
        chunks: list[Chunk] = []
        wanted: list[int] = []
        budget = self.limits.prefill_tokens
        for row in self._rows:
            missing = len(row.ids) - row.past
            count = 1 if missing == 1 else min(missing, budget)
            if count == 0:
                continue
            budget -= count if count > 1 else 0
            if count == missing:
                wanted.append(len(rows))
            rows.append(row)
            chunks.append(Chunk(row.slot, row.past, row.ids[row.past : row.past + count]))
        return rows, chunks, wanted

    def _append(self, row: _Row, token: int, logprob: float) -> None:
        row.ids.append(token)
        row.logprobs.append(logprob)
        self.totals.generated_tokens += 1
        if row.job.listener is not None:
            row.job.listener(row.answer, row.logprobs[:])
        stopped = token in row.job.stop_ids
        if not stopped and len(row.logprobs) < row.job.max_tokens:
            return
        self._leave(row)
        with suppress(InvalidStateError):  # cancelled in this very moment
            row.job.future.set_result(Generation(row.answer, row.logprobs, "stop" if stopped else "length", row.cached))

    def _leave(self, row: _Row) -> None:
        self._rows.remove(row)
        self._table.release(row.slot, row.ids[: row.past])

    def _fail(self, error: RestepError) -> None:
        for row in list(self._rows):
            self._rows.remove(row)
            self._table.release(row.slot, ())
            with suppress(InvalidStateError):
                row.job.future.set_exception(error)
