"""A fine-tuning from call to folder: what is written, that it resumes bit for bit, and what is said of mistakes."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM

from shared.errors import RestepError
from shared.react import turn_text
from tests.support import finetune_process
from tests.support.tiny_model import tiny_checkpoint
from tests.support.trajectories import Said, sample, trajectory
from trainer.checkpoint import open_base
from trainer.finetune import FinetuneResult, finetune, finetune_in_thread, load_card, prepare
from trainer.finetune_config import FinetuneConfig, WeightOptions
from trainer.pack import Pack, data_hash
from trainer.render import KINDS
from trainer.training_folder import TrainingFolder
from trainer.training_progress import TrainingProgress

ROOT = Path(__file__).parents[3]
WHOLE_STEPS = 8


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("base"))


def _config(base: Path, output: Path, **given: Any) -> FinetuneConfig:
    options: dict[str, Any] = {
        "epochs": 4,
        "learning_rate": 3e-3,
        "batch_tokens": 200,
        "pack_tokens": 200,
        "save_steps": 3,
        "threads": 1,
        "device": "cpu",
    }
    return FinetuneConfig(base=str(base), output=output, **(options | given))


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=280
    )


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    return dict(model.state_dict())


@pytest.fixture(scope="module")
def straight(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FinetuneConfig, FinetuneResult]:
    config = _config(base, tmp_path_factory.mktemp("straight") / "out")
    return config, finetune(config, sample())


def test_the_folder_is_a_checkpoint_with_card_and_metrics(straight: tuple[FinetuneConfig, FinetuneResult], base: Path) -> None:
    config, result = straight
    names = {path.name for path in config.output.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "restep.json", "metrics.jsonl"} <= names
    assert not names & {"checkpoints", "training_args.bin"}
    assert load_card(config.output) == result
    lines = [json.loads(line) for line in (config.output / "metrics.jsonl").read_text().splitlines()]
    assert lines == result.curve
    assert [line["step"] for line in lines] == list(range(1, WHOLE_STEPS + 1))
    assert result.steps == WHOLE_STEPS
    assert result.trained_tokens + result.masked_tokens < result.tokens
    assert {"loss", "loss/golden", "loss/error", "grad_norm", "trained_share", "tokens_per_second", "epoch"} <= lines[0].keys()
    assert {"loss/thought", "loss/action", "loss/task/boil", "pack_efficiency", "tflops", "memory_gib"} <= lines[0].keys()
    assert result.efficiency == pytest.approx(lines[0]["pack_efficiency"], abs=0.3)
    assert json.loads((config.output / "config.json").read_text())["use_cache"] is True
    assert open_base(str(config.output)).tokenizer.get_vocab() == open_base(str(base)).tokenizer.get_vocab()


def test_training_lowers_the_loss_of_what_is_trained(straight: tuple[FinetuneConfig, FinetuneResult]) -> None:
    curve = straight[1].curve
    trained = [line["loss/golden"] for line in curve if "loss/golden" in line]
    assert trained[-1] < trained[0] - 0.2


def test_stopped_and_resumed_equals_unbroken_to_the_bit(
    straight: tuple[FinetuneConfig, FinetuneResult], base: Path, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(progress: TrainingProgress) -> None:
        if progress.step == 5:
            raise Killed

    config = _config(base, tmp_path / "out")
    with pytest.raises(Killed):
        finetune(config, sample(), kill)
    assert load_card(config.output) is None
    steps: list[int] = []
    result = finetune(config, sample(), lambda progress: steps.append(progress.step))
    assert steps == [4, 5, 6, 7, 8]
    assert [line["step"] for line in result.curve] == list(range(1, WHOLE_STEPS + 1))
    assert [line["loss"] for line in result.curve] == [line["loss"] for line in straight[1].curve]
    expected, found = _weights(straight[0].output), _weights(config.output)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    board: Any = EventAccumulator(str(config.output / "tensorboard"))
    board.Reload()
    shown = [(event.step, event.value) for event in board.Scalars("loss")]
    assert shown == [(line["step"], pytest.approx(line["loss"])) for line in result.curve if "loss" in line]


async def test_cancelled_it_stops_within_a_step_and_can_go_on(base: Path, tmp_path: Path) -> None:
    config = _config(base, tmp_path / "out", epochs=4000, save_steps=1)
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    steps: list[int] = []

    def report(progress: TrainingProgress) -> None:
        steps.append(progress.step)
        loop.call_soon_threadsafe(begun.set)

    training = asyncio.create_task(finetune_in_thread(config, sample(), report))
    await begun.wait()
    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training
    await loop.shutdown_default_executor()  # waits for the thread: without the stop, for all of the epochs
    assert steps[-1] < 100
    assert load_card(config.output) is None
    assert TrainingFolder(config.output).last_checkpoint() is not None


async def test_beside_an_event_loop_the_result_is_the_same(straight: tuple[FinetuneConfig, FinetuneResult]) -> None:
    assert await finetune_in_thread(straight[0], sample()) == straight[1]


def test_a_finished_training_is_returned_and_not_repeated(straight: tuple[FinetuneConfig, FinetuneResult]) -> None:
    config, result = straight
    before = (config.output / "model.safetensors").stat().st_mtime_ns
    assert finetune(config.model_copy(update={"threads": 2}), sample()) == result
    assert (config.output / "model.safetensors").stat().st_mtime_ns == before


def test_a_folder_of_another_training_is_left_alone(straight: tuple[FinetuneConfig, FinetuneResult], tmp_path: Path) -> None:
    config, _ = straight
    other_base = {"base": str(tiny_checkpoint(tmp_path, seed=1))}
    other_options = [config.model_copy(update=change) for change in (other_base, {"learning_rate": 1e-4})]
    for other, data in [*((one, sample()) for one in other_options), (config, sample()[:2])]:
        with pytest.raises(RestepError, match="another folder") as caught:
            finetune(other, data)
        assert caught.value.code == "invalid_recipe"


def test_half_precision_checkpoints_are_trained_in_float32(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "half", dtype=torch.float16)
    config = _config(base, tmp_path / "out", epochs=1, learning_rate=1e-6)
    finetune(config, sample())
    before, after = _weights(base), _weights(config.output)
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}
    moved = [name for name in after if not torch.equal(after[name], before[name].float())]
    assert moved  # updates of this size are below what float16 resolves at these weights
    assert all(torch.equal(after[name].half(), before[name]) for name in moved if "norm" in name)


def test_bfloat16_products_keep_float32_weights_and_almost_the_same_loss(
    straight: tuple[FinetuneConfig, FinetuneResult], base: Path, tmp_path: Path
) -> None:
    config = _config(base, tmp_path / "out", bf16=True)
    result = finetune(config, sample())
    assert {tensor.dtype for tensor in _weights(config.output).values()} == {torch.float32}
    losses, exact = ([line["loss"] for line in one.curve] for one in (result, straight[1]))
    assert losses != exact
    assert losses == pytest.approx(exact, rel=0.02)


def test_the_mask_decides_what_error_steps_teach(base: Path, tmp_path: Path) -> None:
    error = Said("error", "Thought: I eat the cup.\nAction: eat cup")
    golden = Said("golden", "Thought: I look around.\nAction: look around")
    data = [trajectory([error, golden])]
    last: dict[bool, dict[str, float]] = {}
    for masked in (True, False):
        options = WeightOptions(mask_errors=masked)
        result = finetune(_config(base, tmp_path / str(masked), epochs=60, weights=options, save_steps=1000), data)
        last[masked] = result.curve[-1]
        assert (result.masked_tokens > 0) == masked
    assert last[False]["loss/error"] < 0.5 * last[True]["loss/error"]
    assert last[True]["loss/golden"] < 0.5 * last[True]["loss/error"]


def test_an_arm_can_be_trained_on_as_many_trained_tokens_as_another(base: Path, tmp_path: Path) -> None:
    wanted = 1000
    config = _config(base, tmp_path / "out", trained_tokens=wanted, batch_tokens=16, pack_tokens=16, save_steps=1000)
    result = finetune(config, sample())
    largest = max(line["trained_tokens"] for line in result.curve)
    assert result.trained_tokens_seen == sum(line["trained_tokens"] for line in result.curve)
    assert abs(result.trained_tokens_seen - wanted) <= 2 * largest
    assert result.epochs == pytest.approx(wanted / result.trained_tokens)
    assert result.steps == math.ceil(result.epochs * result.packs)


def test_steps_that_are_left_out_are_not_there_to_train(base: Path, tmp_path: Path) -> None:
    config, opened = _config(base, tmp_path), open_base(str(base))
    whole, _ = prepare(config, opened, sample())
    without, _ = prepare(config.model_copy(update={"without": frozenset({"error", "reflection"})}), opened, sample())

    def kinds(packs: list[Pack]) -> set[str]:
        return {KINDS[int(kind)] for row in packs for one in row.documents for kind in one.kinds.tolist()}

    assert kinds(whole) - kinds(without) == {"error", "reflection"}
    assert data_hash(whole) != data_hash(without)


def test_the_order_of_the_trajectories_does_not_matter(
    straight: tuple[FinetuneConfig, FinetuneResult],
) -> None:
    assert finetune(straight[0], reversed(sample())) == straight[1]


def test_ids_do_not_decide_the_order_of_training(base: Path, tmp_path: Path) -> None:
    """They cover log-probabilities, whose last digits depend on what was computed together."""
    golden = Said("golden", turn_text("I look around.", "look around"))
    some = [trajectory([golden], observation=f"Room {letter}.") for letter in "abcdefgh"]
    config, opened = _config(base, tmp_path), open_base(str(base))
    rows: set[bytes] = set()
    for seed in range(5):
        ids = random.Random(seed).sample(range(len(some)), len(some))
        renamed = [one.model_copy(update={"id": f"{id:032x}"}) for one, id in zip(some, ids, strict=True)]
        packs, _ = prepare(config, opened, renamed)
        rows.add(b"".join(document.input_ids.tobytes() for row in packs for document in row.documents))
    assert len(rows) == 1


@pytest.mark.parametrize("size", [500, 100_000, 210_000], ids=["metrics", "weights", "optimiser"])
def test_a_full_disk_is_one_line_and_the_training_goes_on_afterwards(size: int, base: Path, tmp_path: Path) -> None:
    script = [finetune_process.__file__, str(base), str(tmp_path / "out")]
    done = _run(*script, str(size))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("store_failed: ")
    assert "Traceback" not in done.stderr
    result = finetune(finetune_process.config(base, tmp_path / "out"), sample())
    assert [line["step"] for line in result.curve] == list(range(1, result.steps + 1))


@pytest.mark.parametrize(
    "given", [{"lora": {"rank": 4, "dropout": 0.1}}, {"activation_checkpointing": True}], ids=["lora", "twice"]
)
def test_other_ways_to_train_resume_to_the_bit_as_well(given: dict[str, Any], base: Path, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(progress: TrainingProgress) -> None:
        if progress.step == 5:
            raise Killed

    whole = finetune(_config(base, tmp_path / "whole", **given), sample())
    config = _config(base, tmp_path / "out", **given)
    with pytest.raises(Killed):
        finetune(config, sample(), kill)
    again = finetune(config, sample())
    assert [line["loss"] for line in again.curve] == [line["loss"] for line in whole.curve]
    expected, found = _weights(tmp_path / "whole"), _weights(config.output)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    before = _weights(base)
    assert torch.equal(found["lm_head.weight"], before["lm_head.weight"]) == ("lora" in given)
    assert not torch.equal(found["model.layers.0.mlp.up_proj.weight"], before["model.layers.0.mlp.up_proj.weight"])


def test_activations_computed_twice_are_the_same(
    straight: tuple[FinetuneConfig, FinetuneResult], base: Path, tmp_path: Path
) -> None:
    twice = finetune(_config(base, tmp_path, activation_checkpointing=True), sample())
    assert [line["loss"] for line in twice.curve] == [line["loss"] for line in straight[1].curve]
    assert twice.fingerprint == straight[1].fingerprint


@pytest.mark.slow
def test_two_ranks_train_the_same_model(base: Path, tmp_path: Path) -> None:
    alone = finetune_process.config(base, tmp_path / "alone")
    result = finetune(alone, sample())
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = _run(*torchrun, finetune_process.__file__, str(base), str(tmp_path / "ranks"))
    assert done.returncode == 0, done.stderr[-2000:]
    ranks = load_card(tmp_path / "ranks")
    assert ranks is not None
    assert ranks.fingerprint == result.fingerprint
    assert [line["step"] for line in ranks.curve] == [line["step"] for line in result.curve]
    assert [line["loss"] for line in ranks.curve] == pytest.approx([line["loss"] for line in result.curve], rel=1e-5)
    expected, found = _weights(alone.output), _weights(tmp_path / "ranks")
    assert all(torch.allclose(found[name], expected[name], atol=1e-5) for name in expected)


@pytest.mark.parametrize("base_name", ["/nowhere/at/all", "nonsense", "."])
def test_a_missing_checkpoint_is_one_line(base_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RestepError) as caught:
        finetune(_config(Path(base_name), tmp_path / "out"), sample())
    assert caught.value.code == "checkpoint_not_found"
    assert "\n" not in caught.value.detail
    assert not (tmp_path / "out").exists()


def test_nothing_to_train_on_is_said(base: Path, tmp_path: Path) -> None:
    with pytest.raises(RestepError, match="nothing to train on") as caught:
        finetune(_config(base, tmp_path / "out", max_length=16), sample())
    assert caught.value.code == "invalid_recipe"


def test_a_folder_that_cannot_be_written_is_said(base: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RestepError) as caught:
        finetune(_config(base, tmp_path / "file" / "out"), sample())
    assert caught.value.code == "store_failed"


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"learning_rate": -1.0}, {"batch_token": 5}, {"schedule": "stairs"}])
def test_a_wrong_option_is_refused(wrong: dict[str, Any], base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        _config(base, tmp_path, **wrong)
