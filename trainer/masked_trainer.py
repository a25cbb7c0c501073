"""The Hugging Face Trainer with this project's objective, rows and figures; everything else stays its own.

One code path from one CPU to many processes: accelerate places the model, we say what the loss is, what it is
divided by (the weight of all tokens of the optimiser step, all micro-batches and ranks), and what is logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np
import torch
from peft import PeftModel
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments

from trainer.flops import ModelCost, peak_flops
from trainer.loss_head import LossHead
from trainer.memory import GIB, peak_memory
from trainer.pack import Batch, Pack, collate
from trainer.render import KINDS, Rendered
from trainer.sharding import keep_float32, shard_on_processors
from trainer.step_figures import StepSums

LogLine = Callable[[dict[str, float]], None]
_OURS: Final = ("predictors", "targets", "weights", "kinds", "actions", "documents", "tasks")


class _Rows(Dataset[Pack]):
    """Rows, filled up with empty ones to a multiple of the processes, so that none is ever repeated to make them even."""

    def __init__(self, packs: Sequence[Pack], processes: int) -> None:
        self._packs = [*packs, *[_NOTHING] * (-len(packs) % processes)]

    def __len__(self) -> int:
        return len(self._packs)

    def __getitem__(self, index: int) -> Pack:
        return self._packs[index]


class MaskedTrainer(Trainer):
    """Trains on rows with per-token weights and hands a line of figures per optimiser step to ``on_log``.

    Besides the figures of :class:`trainer.step_figures.StepSums` a line has, over wall time: ``tokens_per_second`` of
    all ranks, ``trained_tokens_per_second``, ``tflops`` a rank, ``mfu`` where the peak of the device is known or given,
    and ``memory_gib``, the most that a rank has held so far. ``pack_tokens`` is what a row could hold.
    """

    loss_is_scaled_for_ga = True  # divided by the weight of the whole step, never again by the number of micro-batches

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        args: TrainingArguments,
        packs: Sequence[Pack],
        on_log: LogLine,
        *,
        pack_tokens: int = 0,
        peak_tflops: float | None = None,
    ) -> None:
        rows = _Rows(packs, cast("int", args.world_size))
        keep_float32(args)
        super().__init__(model=cast("Any", model), args=args, train_dataset=rows, data_collator=self._collate)
        self.remove_callback(PrinterCallback)
        self._head = LossHead(model)
        tasks = sorted({document.task for row in packs for document in row.documents})
        self._task_numbers = {task: number for number, task in enumerate(tasks)}
        self._sums = StepSums(args.device, tasks)
        self._pack_tokens, self._cost = pack_tokens, ModelCost.of(model)
        self._peak = 1e12 * peak_tflops if peak_tflops else peak_flops(args.device)
        self._on_log = on_log
        self._since = time.monotonic()

    def create_accelerator_and_postprocess(self) -> None:
        """As the Trainer does, and sharded where it cannot."""
        super().create_accelerator_and_postprocess()
        shard_on_processors(self.accelerator, self.args)
        self.is_fsdp_enabled = getattr(self.accelerator.state, "fsdp_plugin", None) is not None

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """One row's share of the step's objective. Logits are made for predicted positions only, a few at a time."""
        predictors, targets, weights = (cast("torch.Tensor", inputs[name]) for name in _OURS[:3])
        context = {name: value for name, value in inputs.items() if name not in _OURS}
        total, nll = self._head.loss(model, context, predictors, targets, weights)
        self._sums.add(nll, inputs, max(self._pack_tokens, int(context["input_ids"].numel())))
        divisor = weights.sum() if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
        # ranks average their gradients, hence the factor; a step without any weight is a zero, not 0/0
        loss = total * self.accelerator.num_processes / torch.where(divisor > 0, divisor, 1.0).to(total.dtype)
        return (loss, {}) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """The divisor: weight of all predicted tokens of the step on all ranks."""
        own = sum((batch["weights"].sum(dtype=torch.float64) for batch in batch_samples), torch.zeros((), dtype=torch.float64))
        return cast("torch.Tensor", self.accelerator.reduce(own.to(device), reduction="sum"))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Replace the Trainer's averaged loss by the exact sums of the interval; called on every rank."""
        sums = cast("torch.Tensor", self.accelerator.reduce(self._sums.take(), reduction="sum"))
        if "train_runtime" in logs:  # the Trainer's closing summary
            return super().log(logs, start_time)
        figures = self._sums.describe(sums)
        figures |= self._rates(figures) | {"memory_gib": self._memory()}
        logs.pop("loss", None)  # a mean over rows and ranks; ours is missing when the step had no weight
        logs |= figures
        super().log(logs, start_time)
        if self.is_world_process_zero():
            self._on_log({"step": self.state.global_step, **logs})
        return None

    def _rates(self, figures: dict[str, float]) -> dict[str, float]:
        """What was done a second since the last line."""
        now = time.monotonic()
        seconds, self._since = max(now - self._since, 1e-9), now
        operations = self._cost.flops(figures["tokens"], figures.pop("predicted_tokens"), figures.pop("squared_lengths"))
        achieved = operations / seconds / self.accelerator.num_processes
        rates = {f"{name}_per_second": figures[name] / seconds for name in ("tokens", "trained_tokens")}
        return rates | {"tflops": achieved / 1e12} | ({"mfu": achieved / self._peak} if self._peak else {})

    def _memory(self) -> float:
        own = torch.tensor([peak_memory(self.args.device) / GIB], dtype=torch.float64, device=self.args.device)
        return float(cast("torch.Tensor", self.accelerator.gather(own)).max())

    def _collate(self, rows: list[Pack]) -> Batch:
        (row,) = rows
        batch = collate(row)
        tasks = torch.tensor([self._task_numbers.get(document.task, 0) for document in row.documents])
        return batch | {"tasks": tasks[cast("torch.Tensor", batch["documents"])]}


_NOTHING: Final = Pack(
    (
        Rendered(
            trajectory="",
            task="",
            input_ids=np.zeros(1, np.int32),
            weights=np.zeros(1, np.float32),
            steps=np.full(1, -1, np.int32),
            kinds=np.full(1, KINDS.index("prompt"), np.uint8),
            actions=np.zeros(1, np.bool_),
        ),
    )
)
