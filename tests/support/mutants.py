"""Mistakes that are easy to make with masks, each applied to the code before its proof is run; every one must fail it.

Run as a script it forks a process for each mistake and prints a line of JSON for each: the mistake, pytest's exit code,
and the tests that failed while they ran (not while they were set up).
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from hypothesis import Phase, settings

from trainer import attention, loss, loss_head, masked_trainer, pack
from trainer.masked_trainer import MaskedTrainer
from trainer.render import KINDS, Rendered, Renderer, Segment

ROOT: Final = Path(__file__).parents[2]
_UNIT: Final = "tests/unit/trainer"
_STEP: Final = f"{_UNIT}/test_masked_trainer.py::test_loss_and_gradient_equal_the_reference"
_WEIGHTS: Final = f"{_UNIT}/test_render.py::test_weight_is_on_trained_steps_and_their_own_stop_tokens_only"


@dataclass(frozen=True)
class Mutant:
    """``apply`` makes the mistake in this process; ``caught_by`` are the tests that must then fail."""

    name: str
    apply: Callable[[], None]
    caught_by: tuple[str, ...]


def _rendered(change: Callable[[Rendered], Rendered]) -> None:
    whole = Renderer.render

    def render(self: Renderer, *given: Any, **named: Any) -> Rendered:
        return change(whole(self, *given, **named))

    Renderer.render = render


def _turns(change: Callable[[Renderer, Segment], Segment | None]) -> None:
    right = Renderer._turn  # pyright: ignore[reportPrivateUsage]  # where the mistake would be made

    def turn(self: Renderer, parts: Any) -> Iterator[Segment]:
        return filter(None, (change(self, segment) for segment in right(self, parts)))

    Renderer._turn = turn  # pyright: ignore[reportPrivateUsage]  # as above


def _shift_mask() -> None:
    _rendered(lambda one: replace(one, weights=np.roll(one.weights, 1)))


def _shift_predictors() -> None:
    right = pack.collate

    def collate(row: pack.Pack) -> pack.Batch:
        batch = right(row)
        predictors = batch["predictors"]
        assert isinstance(predictors, torch.Tensor)
        return batch | {"predictors": predictors + 1}

    pack.collate = masked_trainer.collate = collate


def _train_errors() -> None:
    error = KINDS.index("error")
    _rendered(lambda one: replace(one, weights=np.where(one.kinds == error, 1, one.weights).astype(np.float32)))


def _forget_mask() -> None:
    right = loss.weighted_nll

    def weighted_nll(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> Any:
        return right(logits, targets, torch.ones_like(weights))

    loss.weighted_nll = loss_head.weighted_nll = weighted_nll


def _drop_stop() -> None:
    _turns(lambda renderer, one: None if one.ids == (renderer.stop_id,) else one)


def _mask_stop() -> None:
    _turns(lambda renderer, one: replace(one, weight=0.0) if one.ids == (renderer.stop_id,) else one)


def _mean_of_means() -> None:
    right = MaskedTrainer.compute_loss

    def compute_loss(self: MaskedTrainer, model: torch.nn.Module, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
        return right(self, model, inputs) / self.args.gradient_accumulation_steps

    MaskedTrainer.compute_loss = compute_loss


def _wrap() -> None:
    right = pack.pack

    def wrapped(documents: Iterable[Rendered], pack_tokens: int, max_length: int, seed: int) -> Any:
        rows, report = right(documents, pack_tokens, max_length, seed)
        names = ("input_ids", "weights", "steps", "kinds", "actions")
        flow = [one for row in rows for one in row.documents]
        whole = {name: np.concatenate([getattr(one, name) for one in flow]) for name in names}
        places = range(0, len(whole["kinds"]), pack_tokens)
        cuts = [{name: whole[name][place : place + pack_tokens] for name in names} for place in places]
        return [pack.Pack((replace(flow[0], **cut),)) for cut in cuts], report

    pack.pack = wrapped


def _join_documents() -> None:
    right = attention.attend_within_documents

    def attend(*given: Any, cu_seq_lens_q: Any = None, **named: Any) -> Any:
        del cu_seq_lens_q
        return right(*given, **named)

    attention.attend_within_documents = attend


def _double_bos() -> None:
    right = Renderer.start

    def start(self: Renderer, system: str, first_user: str) -> Segment:
        segment = right(self, system, first_user)
        return replace(segment, ids=(segment.ids[0], *segment.ids))

    Renderer.start = start


MUTANTS: Final = (
    Mutant("the mask shifted by one", _shift_mask, (_WEIGHTS,)),
    Mutant("every target predicted from its own place", _shift_predictors, (_STEP,)),
    Mutant("error steps trained", _train_errors, (_WEIGHTS,)),
    Mutant(
        "the mask forgotten in the loss",
        _forget_mask,
        (f"{_UNIT}/test_loss.py::test_the_gradient_is_exactly_zero_at_masked_targets_and_nowhere_else", _STEP),
    ),
    Mutant(
        "stop tokens dropped",
        _drop_stop,
        (f"{_UNIT}/test_render.py::test_every_step_keeps_its_sampled_ids_or_its_text",),
    ),
    Mutant("stop tokens untrained", _mask_stop, (_WEIGHTS,)),
    Mutant("a mean of means", _mean_of_means, (_STEP,)),
    Mutant(
        "wrapped packing",
        _wrap,
        (f"{_UNIT}/test_pack.py::test_every_document_is_in_exactly_one_row_and_rows_are_bounded",),
    ),
    Mutant(
        "documents of a row that see one another",
        _join_documents,
        (f"{_UNIT}/test_masked_trainer.py::test_documents_of_a_row_do_not_see_one_another", _STEP),
    ),
    Mutant(
        "a doubled BOS",
        _double_bos,
        (
            f"{_UNIT}/test_llama2.py::test_ids_and_weights_are_those_of_metas_rules",
            f"{_UNIT}/test_render.py::test_chatml_equals_the_template_applied_to_the_whole_dialogue",
        ),
    ),
)
CONTROL: Final = Mutant("nothing", lambda: None, tuple(dict.fromkeys(test for one in MUTANTS for test in one.caught_by)))
"""The same tests without a mistake: they must pass, or their failures would prove nothing."""


class _Failures:
    def __init__(self) -> None:
        self.tests: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.failed:
            self.tests.append(report.nodeid.partition("[")[0])


def _judge(number: int) -> dict[str, Any]:
    """Run a mutant's tests in this process, which is then good for nothing else."""
    mutant = (CONTROL, *MUTANTS)[number]
    mutant.apply()
    settings.register_profile("mutants", database=None, phases=(Phase.explicit, Phase.generate), deadline=None)
    settings.load_profile("mutants")
    failures = _Failures()
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", f"--rootdir={ROOT}"]
        code = pytest.main([*options, *(str(ROOT / test) for test in mutant.caught_by)], plugins=[failures])
    return {"mutant": mutant.name, "code": int(code), "failed": sorted(set(failures.tests))}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for _module in ("support.masked_reference", "support.sentence_pieces", "unit.trainer.conftest"):
        importlib.import_module(f"tests.{_module}")  # what the tests need, loaded once before the fork
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        for verdict in pool.imap(_judge, range(1 + len(MUTANTS)), chunksize=1):
            sys.stdout.write(json.dumps(verdict) + "\n")
