"""The embedded back end: any Hugging Face causal language model, batched by our own engine.

In fp32 on a CPU, where that is both exact and fastest; in the checkpoint's own type on a GPU.
A reload starts a second engine beside the first, which leaves when it has finished what it had accepted.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from services.agent.backends.base import Backend, Generation, Listener, Served
from services.agent.backends.engine import Engine, Job, Limits, Totals
from services.agent.backends.ragged import prepare
from services.agent.checkpoint import Checkpoint, open_checkpoint
from services.agent.settings import AgentSettings
from shared.agent_protocol import AgentInfo, Sampling
from shared.errors import RestepError

log = logging.getLogger(__name__)


class EmbeddedModel(Served):
    """A checkpoint and the engine that holds its weights."""

    def __init__(self, checkpoint: Checkpoint, engine: Engine, context_length: int) -> None:
        self.checkpoint = checkpoint
        self.context_length = context_length
        self.engine = engine

    async def generate(self, prompt: Sequence[int], sampling: Sampling, listener: Listener | None = None) -> Generation:
        """See :meth:`Served.generate`."""
        room = self.room(prompt)
        if sampling.admissible_actions is not None:
            raise RestepError("not_supported", "admissible_actions: only the vllm back end constrains answers")
        job = Job(
            prompt=prompt,
            max_tokens=min(sampling.max_tokens, room),
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            stop_ids=frozenset(self.stop_ids(sampling)),
            rng=random.Random(sampling.seed),
            listener=None if listener is None else _on_loop(listener),
        )
        self.engine.submit(job)
        return await asyncio.wrap_future(job.future)


def _on_loop(listener: Listener) -> Listener:
    loop = asyncio.get_running_loop()
    return lambda ids, logprobs: loop.call_soon_threadsafe(listener, ids, logprobs) and None


class TransformersBackend(Backend):
    """Serves one checkpoint from this process."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._current: EmbeddedModel | None = None
        self._loading = asyncio.Lock()
        self._engines: set[Engine] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._past: dict[str, float] = asdict(Totals())
        self._reloads = 0

    async def load(self, source: str) -> Served:
        """See :meth:`Backend.load`. One at a time; others wait. What is served already is not loaded again."""
        async with self._loading:
            checkpoint = await asyncio.to_thread(open_checkpoint, source)
            old = self._current
            if old is not None and (checkpoint.folder, checkpoint.model) == (old.checkpoint.folder, old.checkpoint.model):
                return old
            self._current = fresh = await asyncio.to_thread(load_model, checkpoint, self._settings)
            self._engines.add(fresh.engine)
            if old is not None:
                self._reloads += 1
                leaving = asyncio.create_task(self._retire(old.engine))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
            log.info("serving %s from %s", fresh.checkpoint.model, fresh.checkpoint.source)
            return fresh

    async def _retire(self, engine: Engine) -> None:
        """Forget an engine, and with it its weights, when it has finished; what it counted stays."""
        engine.close()
        await asyncio.to_thread(engine.join)
        self._engines.discard(engine)
        for name, value in asdict(engine.totals).items():
            self._past[name] += value

    def current(self) -> EmbeddedModel:
        """See :meth:`Backend.current`."""
        if self._current is None:
            raise RestepError("not_ready", "no checkpoint is loaded yet")
        return self._current

    def info(self) -> AgentInfo:
        """See :meth:`Backend.info`."""
        served = self.current()
        return served.info("transformers", served.engine.limits.max_batch)

    async def stop(self) -> None:
        """See :meth:`Backend.stop`."""
        for engine in list(self._engines):
            engine.close()
            await asyncio.to_thread(engine.join)
        await asyncio.gather(*self._leaving)

    def gauges(self) -> Mapping[str, float]:
        """See :meth:`Backend.gauges`."""
        loads = [engine.load for engine in self._engines]
        waiting, running, remembered = (sum(column) for column in zip(*loads, strict=True)) if loads else (0, 0, 0)
        return {"requests_waiting": waiting, "sequences_running": running, "sequences_remembered": remembered}

    def counters(self) -> Mapping[str, float]:
        """See :meth:`Backend.counters`."""
        living = [asdict(engine.totals) for engine in self._engines]
        sums = {name: past + sum(totals[name] for totals in living) for name, past in self._past.items()}
        return {"reloads": self._reloads, **sums}


def load_model(checkpoint: Checkpoint, settings: AgentSettings) -> EmbeddedModel:
    """Read the weights and start their engine. Raises ``unsuitable_model``."""
    source = checkpoint.source
    disable_progress_bar()  # a server's log is no terminal
    cuda = torch.cuda.is_available()
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            checkpoint.folder,
            dtype="auto" if cuda else torch.float32,
            attn_implementation="eager",
            use_safetensors=True,  # other weights are pickles, which may hold programs
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RestepError("unsuitable_model", f"{source}: {first}") from None
    model.requires_grad_(False).eval()
    if cuda:
        model.to("cuda")  # pyright: ignore[reportArgumentType]  # the stub of the decorated method lost its self
    context = min(checkpoint.positions, settings.max_context)
    slots = min((settings.kv_mib << 20) // (prepare(model, checkpoint.vocabulary) * context), 4 * settings.max_batch)
    if slots < 1:
        raise RestepError(
            "unsuitable_model", f"{source}: one sequence of {context} tokens takes more than {settings.kv_mib} MiB"
        )
    limits = Limits(context, slots, min(settings.max_batch, slots), settings.queue, settings.prefill_tokens, settings.threads)
    return EmbeddedModel(checkpoint, Engine(model, limits), context)
