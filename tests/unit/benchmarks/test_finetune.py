"""The benchmark of fine-tuning measures the same work in every loop, at a size that takes seconds."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from benchmarks.finetune import LOOPS, Figures, Plan, line, main, measure, pad, trajectories

PLAN = Plan(
    model="tiny",
    pack=256,
    longest=128,
    rows=2,
    steps=2,
    warm_up=1,
    bf16=False,
    activation_checkpointing=False,
    processes=0,
    cpu=True,
    seed=0,
)


def test_there_are_enough_trajectories_with_two_fifths_trained() -> None:
    documents = trajectories(PLAN)
    tokens = sum(map(len, documents))
    assert tokens >= 256 * 2 * 3
    assert max(map(len, documents)) <= 128
    assert sum(float(document.weights.sum()) for document in documents) / tokens == pytest.approx(0.4, abs=0.1)
    assert [document.input_ids.tolist() for document in trajectories(PLAN)] == [one.input_ids.tolist() for one in documents]


@pytest.mark.parametrize("loop", LOOPS)
def test_every_loop_is_measured(loop: str) -> None:
    if loop == "trl":
        pytest.importorskip("trl")
    found = measure(PLAN, loop)
    assert found.tokens_per_second > 0
    assert found.memory_gib > 0
    assert found.mfu is None  # a processor's peak is not known
    assert found.loss == pytest.approx(6.24, abs=0.2)  # the logarithm of the vocabulary: nothing is learnt yet
    assert (found.fill < 1) == (loop == "padded")


def test_padding_is_neither_read_nor_trained() -> None:
    batch = pad([{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}, {"input_ids": [8], "labels": [8]}])
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 7], [8, -100, -100]]
    assert batch["input_ids"].shape == (2, 3)


def test_a_row_tells_what_was_measured_or_why_not() -> None:
    told = line(PLAN, "full", Figures(12345.6, 9000.0, 0.451, 101.25, 1.0, 10.4))
    assert told == "| full | tiny | 256 | 12,346 | 9,000 | 45.1 % | 101.2 | 100 % | 10.400 |"
    assert "out of memory" in line(replace(PLAN, pack=8192), "trl", "out of memory")


def test_it_runs_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", "tiny", "--loops", "full", "--pack", "128", "--steps", "1", "--warm-up", "1", "--rows", "1", "--cpu"])
    head, _, row = capsys.readouterr().out.strip().splitlines()
    assert head.count("|") == row.count("|")
    assert re.fullmatch(r"\| full \| tiny \| 128 \| [\d,]+ \| [\d,]+ \| - \| [\d.]+ \| 100 % \| 6\.\d+ \|", row)
