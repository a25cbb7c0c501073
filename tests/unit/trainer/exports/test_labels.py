"""Rows of ids and labels are the documents of our own fine-tuning, token for token; test_trl trains on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trajectory import Trajectory
from tests.support.refusal import refusal
from tests.support.tiny_model import tiny_checkpoint
from tests.support.trajectories import Said, sample, trajectories, trajectory
from trainer.checkpoint import open_base
from trainer.exports.labels import MASKED, labelled_rows
from trainer.exports.rows import Exported
from trainer.finetune import prepare
from trainer.finetune_config import FinetuneConfig
from trainer.render import KINDS, Renderer
from trainer.shipped import FOLDER, NAME

ERROR = KINDS.index("error")
Document = tuple[tuple[int, ...], tuple[bool, ...]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model for sequences that the first two of the sample do not fit into, the first one's first answer does."""
    return str(tiny_checkpoint(tmp_path_factory.mktemp("short"), context=90))


def exported(documents: list[Trajectory], checkpoint: str) -> tuple[list[dict[str, Any]], Exported]:
    count = Exported()
    return list(labelled_rows(documents, checkpoint, count)), count


def trained_here(documents: list[Trajectory], checkpoint: str) -> list[Document]:
    """What our own fine-tuning reads and trains."""
    config = FinetuneConfig(base=checkpoint, output=Path("nowhere"))
    packs, _ = prepare(config, open_base(checkpoint), documents)
    held = [document for row in packs for document in row.documents]
    return sorted((tuple(one.input_ids.tolist()), tuple((one.weights > 0).tolist())) for one in held)


def trained_there(rows: list[dict[str, Any]]) -> list[Document]:
    return sorted((tuple(row["input_ids"]), tuple(label != MASKED for label in row["labels"])) for row in rows)


@given(documents=st.lists(trajectories(), min_size=1, max_size=3))
def test_ids_and_trained_places_are_those_of_our_own_fine_tuning(tiny: str, documents: list[Trajectory]) -> None:
    documents = [*documents, *sample()]  # of which there is always something to train on
    rows, count = exported(documents, tiny)
    assert trained_there(rows) == trained_here(documents, tiny)
    assert count.written + count.untrained == len(documents)
    assert all(label in (token, MASKED) for row in rows for token, label in zip(row["input_ids"], row["labels"], strict=True))


def test_every_token_of_an_error_is_masked_and_of_every_other_answer_trained(tiny: str) -> None:
    renderer = Renderer.from_tokenizer(open_base(tiny).tokenizer)
    for one, row in zip(sample(), exported(sample(), tiny)[0], strict=True):
        rendered = renderer.render(one)
        labels = np.array(row["labels"])
        answers = rendered.kinds > KINDS.index("observation")
        assert (labels[rendered.kinds == ERROR] == MASKED).all()
        assert (labels[answers & (rendered.kinds != ERROR)] != MASKED).all()
        assert (labels[~answers] == MASKED).all()


def test_what_is_too_long_is_cut_as_our_own_is_and_told(short: str) -> None:
    nothing = trajectory([Said("error", "Thought: a\nAction: b")])
    documents = [*sample(), nothing]
    rows, count = exported(documents, short)
    assert trained_there(rows) == trained_here(documents, short)
    assert max(len(row["input_ids"]) for row in rows) <= 90
    assert count.cut > 0
    assert count.untrained > 1
    assert count.shortfall() == (
        f"; {count.cut} cut at 90 tokens; {count.untrained} left out, of which nothing would be trained"
    )


def test_a_weight_that_no_label_can_say_is_refused(tiny: str) -> None:
    one = sample()[2]
    steps = [*one.steps[:2], one.steps[2].model_copy(update={"loss": 0.5})]
    with refusal("data_not_written") as caught:
        exported([one.model_copy(update={"steps": steps}).sealed()], tiny)
    assert "boil/0" in caught.value.detail
    assert "0.5" in caught.value.detail


def test_the_base_that_comes_along_has_a_name() -> None:
    rows, _ = exported(sample(), NAME)
    assert rows == exported(sample(), str(FOLDER))[0]


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    with refusal("checkpoint_not_found") as caught:
        exported(sample(), str(tmp_path / "absent"))
    assert "absent" in caught.value.detail
