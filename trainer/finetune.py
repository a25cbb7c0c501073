"""Fine-tuning on trajectories with partial masking: one call, one folder, resumable by the same call.

The folder holds a Hugging Face checkpoint, ``metrics.jsonl`` with a line for each optimiser step, and, written last,
``restep.json``, the card: what was trained on what, how, and with which result. A folder with a card is finished.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from transformers import TrainingArguments, set_seed
from transformers.utils import logging as transformers_logging

from shared.errors import RestepError
from shared.trajectory import Trajectory
from trainer.attention import use_document_attention
from trainer.checkpoint import Base, open_base
from trainer.export import export
from trainer.finetune_config import FinetuneConfig
from trainer.launcher import check_launcher
from trainer.lora import attach
from trainer.masked_trainer import MaskedTrainer
from trainer.pack import Pack, PackReport, data_hash, pack
from trainer.ranks import meet
from trainer.render import Renderer
from trainer.rewrite import leave_out
from trainer.sharding import check_resumable, is_plain, is_sharded, sharding_arguments
from trainer.tensorboard_log import TensorBoardLog
from trainer.training_folder import CARD_FILE, TrainingFolder
from trainer.training_progress import TrainingProgress, TrainingReport
from trainer.weights import normalise, step_weights

log = logging.getLogger(__name__)

_TORCH_WRITER: Final = ("inline_container", "PytorchStreamWriter")
"""How a RuntimeError of torch.save can be told: it has no type of its own for a disk that is full."""
_PACKAGES: Final = ("torch", "transformers", "accelerate", "peft")


class FinetuneResult(BaseModel):
    """The card. Token counts are of one epoch, ``trained_tokens_seen`` of all; ``curve`` is ``metrics.jsonl``.

    For the rest see :class:`trainer.pack.PackReport`.
    """

    model_config = ConfigDict(extra="forbid")

    fingerprint: str
    config: dict[str, Any]
    versions: dict[str, str]
    data_hash: str
    parameters: int
    trajectories: int
    packs: int
    fewest_packs: int
    tokens: int
    trained_tokens: int
    masked_tokens: int
    longest: int
    efficiency: float
    trained_spread: float
    cut_trajectories: int
    cut_steps: dict[str, dict[str, int]]
    dropped: dict[str, int]
    dropped_steps: dict[str, dict[str, int]]
    epochs: float
    steps: int
    trained_tokens_seen: int
    seconds: float
    final_loss: float | None
    curve: list[dict[str, float]]


def finetune(
    config: FinetuneConfig, trajectories: Iterable[Trajectory], report: TrainingReport | None = None
) -> FinetuneResult:
    """Train ``config.base`` on trajectories and write ``config.output``.

    Called again it returns the finished result, or goes on from the last checkpoint with the same outcome. Raises
    ``checkpoint_not_found``, ``unsuitable_model``, ``unsuitable_template``, ``invalid_recipe`` (nothing to train on,
    a folder that holds another training, a launcher that was told something else) and ``store_failed`` (the folder cannot
    be written).
    """
    check_launcher(config)
    base = open_base(config.base)
    packs, packed = prepare(config, base, trajectories)
    hashed = data_hash(packs)
    fingerprint = config.fingerprint(base.content_hash(), hashed)
    folder = TrainingFolder(config.output, writer=_environment("RANK", 0) == 0)
    finished = load_card(config.output)
    if finished is not None:
        folder.check(finished.fingerprint, fingerprint)
        return finished
    folder.claim(fingerprint)
    with _quiet(), _threads(config.threads), _write_failures(config.output):
        epochs = config.passes(packed.trained_tokens)
        figures = _train(config, base, packs, epochs, folder, report)
        result = FinetuneResult(
            fingerprint=fingerprint,
            config=config.model_dump(mode="json"),
            versions={name: version(name) for name in _PACKAGES},
            data_hash=hashed,
            epochs=epochs,
            **asdict(packed),
            **figures,
        )
        if folder.writer:
            base.tokenizer.save_pretrained(config.output)
            folder.finish(result.model_dump_json(indent=1).encode())
        meet()  # what is done next may need the result
    return result


async def finetune_in_thread(
    config: FinetuneConfig, trajectories: Iterable[Trajectory], report: TrainingReport | None = None
) -> FinetuneResult:
    """:func:`finetune` beside an event loop. Cancelled, it stops at the next optimiser step instead of running on."""
    stopped = threading.Event()

    def watched(progress: TrainingProgress) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        if report is not None:
            report(progress)

    try:
        return await asyncio.to_thread(finetune, config, trajectories, watched)
    finally:
        stopped.set()


def prepare(config: FinetuneConfig, base: Base, trajectories: Iterable[Trajectory]) -> tuple[list[Pack], PackReport]:
    """Rows of token ids and weights, the same in whatever order the trajectories come.

    The order is that of the tokens: ids of trajectories cover log-probabilities, which differ in their last digits between
    runs that are otherwise equal.
    Raises ``invalid_recipe`` when no trained token is left.
    """
    renderer = Renderer.from_tokenizer(base.tokenizer, config.chat_format)
    longest = min(config.max_length or base.positions, base.positions)
    rendered = (
        normalise(renderer.render(one, step_weights(one, config.weights)), config.weights.normalisation)
        for one in (leave_out(trajectory, config.without) for trajectory in trajectories)
    )
    documents = sorted(rendered, key=lambda document: (document.input_ids.tobytes(), document.weights.tobytes()))
    packs, packed = pack(documents, config.pack_tokens, longest, config.seed)
    if not packs:
        raise RestepError("invalid_recipe", f"nothing to train on: no trajectory has a trained step within {longest} tokens")
    if packed.cut_trajectories:
        log.warning("%d trajectories cut at %d tokens; steps lost: %s", packed.cut_trajectories, longest, packed.cut_steps)
    if packed.dropped:
        log.warning("trajectories without a trained step, dropped: %s; their steps: %s", packed.dropped, packed.dropped_steps)
    return packs, packed


def load_card(folder: Path) -> FinetuneResult | None:
    """The result of a finished fine-tuning, None where there is none. Raises ``data_corrupt``, ``store_failed``."""
    card = TrainingFolder(folder).card()
    try:
        return FinetuneResult.model_validate_json(card) if card is not None else None
    except ValidationError as error:
        raise RestepError("data_corrupt", f"{folder / CARD_FILE}: {error.errors()[0]['msg']}") from None


def _train(
    config: FinetuneConfig,
    base: Base,
    packs: Sequence[Pack],
    epochs: float,
    folder: TrainingFolder,
    report: TrainingReport | None,
) -> dict[str, Any]:
    """Run the Trainer to its end and save the model; what only training knows of the result."""
    began = time.monotonic()
    set_seed(config.seed)
    dtype = torch.bfloat16 if config.lora and config.bf16 else torch.float32
    # of processes that share a model the first one reads it; the others are sent their part
    model = base.load(dtype) if folder.writer or not is_sharded(config.sharding) else base.placeholder(dtype)
    use_document_attention(model)
    parameters = model.num_parameters()
    trained = model if config.lora is None else attach(model, config.lora)
    arguments = _arguments(config, len(packs), epochs, is_plain(trained))
    resumed = folder.last_checkpoint()
    sharded = arguments.fsdp_plugin_args is not None
    if resumed:
        check_resumable(resumed[0], sharded)
    lines = folder.metrics(until=resumed[1] if resumed else 0)
    before = lines[-1]["seconds"] if lines else 0.0

    with TensorBoardLog(folder.tensorboard, lines) if folder.writer else nullcontext() as board:

        def on_log(line: dict[str, float]) -> None:
            lines.append(line | {"seconds": before + time.monotonic() - began})
            folder.add_metrics(lines[-1])
            if board is not None:
                board.add(lines[-1])
            if report is not None:
                report(TrainingProgress(int(trainer.state.max_steps), lines[-1]))

        trainer = MaskedTrainer(
            trained, arguments, packs, on_log, pack_tokens=config.pack_tokens, peak_tflops=config.peak_tflops
        )
        trainer.train(resume_from_checkpoint=str(resumed[0]) if resumed else None)
    export(trained, base, config.output, config.saved_type, sharded=sharded, writer=folder.writer)
    return {
        "parameters": parameters,
        "steps": int(trainer.state.global_step),
        "trained_tokens_seen": int(sum(line["trained_tokens"] for line in lines)),
        "seconds": before + time.monotonic() - began,
        "final_loss": next((line["loss"] for line in reversed(lines) if "loss" in line), None),
        "curve": lines,
    }


def _arguments(config: FinetuneConfig, packs: int, epochs: float, plain: bool) -> TrainingArguments:
    processes = _environment("WORLD_SIZE", 1)
    rows = max(1, round(config.batch_tokens / config.pack_tokens / processes))
    return TrainingArguments(
        output_dir=str(TrainingFolder(config.output).checkpoints),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=min(rows, -(-packs // processes)),
        num_train_epochs=epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=2,
        use_cpu=config.device == "cpu",
        bf16=config.bf16,
        average_tokens_across_devices=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
        **sharding_arguments(is_sharded(config.sharding), config.activation_checkpointing, plain),
    )


def _environment(name: str, default: int) -> int:
    """What torchrun and accelerate tell a process of its place."""
    return int(os.environ.get(name, default))


@contextmanager
def _write_failures(output: Path) -> Generator[None]:
    """What a full disk makes of the libraries that write to it, as one line."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(name in str(error) for name in _TORCH_WRITER):
            raise
        raise RestepError("store_failed", f"{output}: {' '.join(str(error).split())}") from None


@contextmanager
def _quiet() -> Generator[None]:
    """No bars of the library between ours."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


@contextmanager
def _threads(count: int | None) -> Generator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
