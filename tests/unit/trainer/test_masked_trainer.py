"""The step that is taken is the objective: against a float64 reference, however the work is divided (P5, P7 to P9)."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.masked_reference import Gradients, documents, load, naive, relative_error, step
from tests.support.tiny_model import tiny_checkpoint
from trainer.attention import use_document_attention
from trainer.flops import ModelCost
from trainer.pack import Pack, collate
from trainer.render import KINDS, Rendered

ROOT = Path(__file__).parents[3]
ERROR = KINDS.index("error")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Any:
    return load(checkpoint)


@pytest.fixture(scope="module")
def rows(checkpoint: Path) -> list[Rendered]:
    return documents(checkpoint)


@pytest.fixture(scope="module")
def expected(model: Any, rows: list[Rendered]) -> tuple[float, Gradients]:
    return naive(model, rows)


def _masked(document: Rendered) -> Rendered:
    return replace(document, weights=np.zeros_like(document.weights))


def _agree(found: tuple[dict[str, float], Gradients], expected: tuple[float, Gradients]) -> None:
    line, gradients = found
    assert line["loss"] == pytest.approx(expected[0], rel=1e-5)
    assert relative_error(gradients, expected[1]) < 1e-5


@pytest.mark.parametrize(
    ("layout", "accumulation"),
    [([[0], [1], [2]], 3), ([[0, 1, 2]], 1), ([[2, 0], [1]], 2), ([[1], [2, 0]], 2), ([[2, 1, 0]], 1)],
    ids=["accumulated", "packed", "packed and accumulated", "packed otherwise", "packed in another order"],
)
def test_loss_and_gradient_equal_the_reference(
    layout: list[list[int]],
    accumulation: int,
    model: Any,
    rows: list[Rendered],
    expected: tuple[float, Gradients],
    tmp_path: Path,
) -> None:
    packs = [Pack(tuple(rows[index] for index in row)) for row in layout]
    _agree(step(model, packs, tmp_path, accumulation=accumulation), expected)


@pytest.mark.parametrize("normalisation", ["turn", "trajectory"])
def test_other_normalisations_equal_their_reference(normalisation: Any, model: Any, checkpoint: Path, tmp_path: Path) -> None:
    weighted = documents(checkpoint, normalisation)
    _agree(step(model, [Pack((one,)) for one in weighted], tmp_path, accumulation=3), naive(model, weighted))


@pytest.mark.slow
def test_two_ranks_with_an_odd_number_of_rows_equal_the_reference(
    checkpoint: Path, expected: tuple[float, Gradients], tmp_path: Path
) -> None:
    script = ROOT / "tests/support/masked_reference.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), str(checkpoint), str(tmp_path / "found.pt")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = torch.load(tmp_path / "found.pt")
    _agree((found["line"], found["gradients"]), expected)
    assert found["line"]["trained_tokens"] == sum(int((one.weights > 0).sum()) for one in documents(checkpoint))


def test_a_row_without_any_weight_changes_nothing(
    model: Any, rows: list[Rendered], expected: tuple[float, Gradients], tmp_path: Path
) -> None:
    packs = [Pack((rows[0],)), Pack((_masked(rows[0]),)), Pack((rows[1], rows[2]))]
    _agree(step(model, packs, tmp_path, accumulation=3), expected)


def test_a_step_without_any_weight_is_a_zero_that_reaches_every_parameter(
    model: Any, rows: list[Rendered], tmp_path: Path
) -> None:
    without_errors = replace(_masked(rows[1]), kinds=np.full(len(rows[1]), KINDS.index("prompt"), np.uint8))
    for document in (_masked(rows[0]), without_errors):
        line, gradients = step(model, [Pack((document,))], tmp_path)
        assert "loss" not in line
        assert line["trained_tokens"] == 0
        assert gradients.keys() == {name for name, _ in model.named_parameters()}
        assert all(float(gradient.abs().max()) == 0.0 for gradient in gradients.values())


def test_labels_of_masked_tokens_do_not_matter_and_their_inputs_do(model: Any, rows: list[Rendered], tmp_path: Path) -> None:
    whole = Pack((rows[0],))
    before = step(model, [whole], tmp_path)
    batch = collate(whole)
    kinds, targets, predictors = batch["kinds"], batch["targets"], batch["predictors"]
    assert isinstance(kinds, torch.Tensor)
    assert isinstance(targets, torch.Tensor)
    assert isinstance(predictors, torch.Tensor)
    assert int((kinds == ERROR).sum()) > 0

    # the error step is watched: its loss is logged, yet a step that never predicts it has the very same gradient
    unwatched = replace(rows[0], kinds=np.where(rows[0].kinds == ERROR, KINDS.index("observation"), rows[0].kinds))
    after = step(model, [Pack((unwatched,))], tmp_path)
    assert after[0]["loss"] == pytest.approx(before[0]["loss"], rel=1e-6)
    assert relative_error(after[1], {name: gradient.double() for name, gradient in before[1].items()}) < 1e-6
    assert "loss/error" in before[0]
    assert "loss/error" not in after[0]

    # but it is read: other ids there change what is trained afterwards, and nothing before
    changed = rows[0].input_ids.copy()
    inside = np.flatnonzero(rows[0].kinds == ERROR)[:-1]
    changed[inside] = (changed[inside] + 7 - 3) % (model.config.vocab_size - 3) + 3
    with torch.no_grad():
        old = model(input_ids=torch.from_numpy(rows[0].input_ids.astype(np.int64))[None]).logits[0]
        new = model(input_ids=torch.from_numpy(changed.astype(np.int64))[None]).logits[0]
    moved = (old - new).abs().amax(-1)[predictors]
    later = predictors > int(inside[-1])
    assert float(moved[later & (kinds != ERROR)].min()) > 0
    assert float(moved[predictors < int(inside[0])].max()) < 1e-6


def test_documents_of_a_row_do_not_see_one_another(model: Any, rows: list[Rendered]) -> None:
    assert use_document_attention(model)
    other = replace(rows[0], input_ids=(rows[0].input_ids + 5) % model.config.vocab_size)
    logits: list[torch.Tensor] = []
    with torch.no_grad():
        for first in (rows[0], other):
            batch = collate(Pack((first, rows[1])))
            inputs = {name: batch[name] for name in batch if name not in ("predictors", "targets", "weights", "kinds")}
            logits.append(model(**inputs, use_cache=False).logits[0])
    border = len(rows[0])
    assert torch.equal(logits[0][border:], logits[1][border:])
    assert not torch.equal(logits[0][:border], logits[1][:border])


def test_the_line_of_a_step_says_what_was_trained(model: Any, rows: list[Rendered], tmp_path: Path) -> None:
    line, _ = step(model, [Pack(tuple(rows))], tmp_path)
    assert line["tokens"] == sum(len(one) for one in rows)
    assert line["trained_tokens"] == sum(int((one.weights > 0).sum()) for one in rows)
    assert line["trained_share"] == pytest.approx(line["trained_tokens"] / line["tokens"])
    assert line["pack_efficiency"] == 1.0
    assert line["memory_gib"] > 0
    assert line["tflops"] > 0
    assert line["trained_tokens_per_second"] < line["tokens_per_second"]
    assert "mfu" not in line  # of a processor no peak is known


def test_losses_by_origin_part_and_task_are_those_of_their_tokens(model: Any, rows: list[Rendered], tmp_path: Path) -> None:
    line, _ = step(model, [Pack((rows[0],)), Pack((rows[1], rows[2]))], tmp_path, accumulation=2)
    nll = np.concatenate([_nll(model, one) for one in rows])
    kinds, weights, actions = (np.concatenate([getattr(one, of)[1:] for one in rows]) for of in ("kinds", "weights", "actions"))
    tasks = np.concatenate([np.full(len(one) - 1, one.task) for one in rows])
    trained = weights > 0
    expected = {
        f"loss/{kind}": nll[kinds == number].mean() for number, kind in enumerate(KINDS) if number > 1 and number in kinds
    }
    expected |= {"loss/thought": nll[trained & ~actions].mean(), "loss/action": nll[trained & actions].mean()}
    expected |= {f"loss/task/{task}": nll[trained & (tasks == task)].mean() for task in ("boil", "melt")}
    assert {name: loss for name, loss in line.items() if name.startswith("loss/")} == pytest.approx(expected, rel=1e-5)


def _nll(model: Any, document: Rendered) -> Any:
    ids = torch.from_numpy(document.input_ids.astype(np.int64))
    with torch.no_grad():
        logits = copy.deepcopy(model).double()(input_ids=ids[None], use_cache=False).logits[0, :-1]
    return -torch.log_softmax(logits, -1).gather(1, ids[1:, None])[:, 0].numpy()


def test_with_a_known_peak_a_line_has_the_share_of_it(model: Any, rows: list[Rendered], tmp_path: Path) -> None:
    line, _ = step(model, [Pack(tuple(rows))], tmp_path, peak_tflops=2.0)
    assert line["mfu"] == pytest.approx(line["tflops"] / 2.0)
    assert line["tflops"] * 1e12 / line["tokens_per_second"] * line["tokens"] == pytest.approx(
        ModelCost.of(model).flops(
            tokens=sum(len(one) for one in rows),
            predicted=sum(int(((one.weights > 0) | (one.kinds == ERROR)).sum()) for one in rows),
            squares=sum(len(one) ** 2 for one in rows),
        )
    )


def test_a_row_is_measured_against_what_it_could_hold(model: Any, rows: list[Rendered], tmp_path: Path) -> None:
    line, _ = step(model, [Pack((one,)) for one in rows], tmp_path, accumulation=3, pack_tokens=500)
    assert line["pack_efficiency"] == pytest.approx(sum(len(one) for one in rows) / 1500)


def test_tokens_of_both_kinds_are_counted_a_second(model: Any, rows: list[Rendered], tmp_path: Path) -> None:
    line, _ = step(model, [Pack(tuple(rows))], tmp_path)
    share = line["trained_tokens_per_second"] / line["tokens_per_second"]
    assert share == pytest.approx(line["trained_share"])
    assert line["tokens_per_second"] > 0
