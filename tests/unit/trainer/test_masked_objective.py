"""The objective as properties: whatever the documents, their weights and how the work is divided (P5 to P9)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.masked_reference import load, naive, relative_error, step
from tests.support.tiny_model import tiny_checkpoint, tiny_tokenizer
from tests.support.trajectories import trajectories
from trainer.pack import Pack, collate
from trainer.render import KINDS, Rendered, Renderer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer.from_tokenizer(TOKENIZER)
ERROR = KINDS.index("error")
FEW = settings(max_examples=10, deadline=None)  # each example builds a trainer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objective")


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load(tiny_checkpoint(folder / "tiny", spread=0.2))


@st.composite
def documents(draw: st.DrawFn, *, least: int = 1) -> list[Rendered]:
    """Up to four documents, each step of any weight, errors without."""
    drawn = draw(st.lists(trajectories(vocabulary=len(TOKENIZER)), min_size=least, max_size=4))
    weight = st.sampled_from([0.0, 0.25, 1.0])
    return [RENDERER.render(one, [0.0 if step.provenance == "error" else draw(weight) for step in one.steps]) for one in drawn]


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[Rendered], list[Pack]]:
    """Documents, and rows that hold each of them once, in any order and any division."""
    found = draw(documents())
    order = draw(st.permutations(range(len(found))))
    rows: list[list[Rendered]] = [[]]
    for index in order:
        if rows[-1] and draw(st.booleans()):
            rows.append([])
        rows[-1].append(found[index])
    return found, [Pack(tuple(row)) for row in rows]


def _has_weight(found: list[Rendered]) -> bool:
    return any((one.weights[1:] > 0).any() for one in found)


@FEW
@given(layouts())
def test_packing_order_and_accumulation_leave_loss_and_gradient_as_they_are(
    model: Any, folder: Path, layout: tuple[list[Rendered], list[Pack]]
) -> None:
    found, packs = layout
    assume(_has_weight(found))
    expected, gradient = naive(model, found)
    line, gradients = step(model, packs, folder, accumulation=len(packs))
    assert line["loss"] == pytest.approx(expected, rel=1e-5)
    assert relative_error(gradients, gradient) < 1e-5


@FEW
@given(layouts())
def test_the_states_that_predict_masked_targets_get_a_gradient_of_exactly_zero(
    model: Any, folder: Path, layout: tuple[list[Rendered], list[Pack]]
) -> None:
    kept: list[torch.Tensor] = []

    def keep(_: Any, given: tuple[torch.Tensor]) -> None:
        given[0].retain_grad()
        kept.append(given[0])

    row = Pack(tuple(layout[0]))
    handle = model.lm_head.register_forward_pre_hook(keep)
    try:
        step(model, [row], folder)
    finally:
        handle.remove()
    weights = collate(row)["weights"]
    assert isinstance(weights, torch.Tensor)
    (states,) = kept
    assert states.grad is not None
    size = states.grad[0].abs().sum(-1)
    assert len(size) == len(weights)  # nothing else has logits at all: neither prompts nor observations
    assert torch.equal(size > 0, weights > 0)


@FEW
@given(documents(), st.data())
def test_a_row_without_weight_is_finite_and_changes_nothing(
    model: Any, folder: Path, found: list[Rendered], data: st.DataObject
) -> None:
    assume(_has_weight(found))
    masked = [replace(one, weights=np.zeros_like(one.weights)) for one in found]
    packs = [Pack(tuple(found))]
    packs.insert(data.draw(st.integers(0, 1)), Pack(tuple(masked)))
    expected, gradient = naive(model, found)
    line, gradients = step(model, packs, folder, accumulation=2)
    assert line["loss"] == pytest.approx(expected, rel=1e-5)
    assert relative_error(gradients, gradient) < 1e-5


@settings(max_examples=20, deadline=None)
@given(trajectories(vocabulary=len(TOKENIZER)), st.data())
def test_a_masked_input_is_read_by_everything_after_it_and_nothing_before(model: Any, one: Any, data: st.DataObject) -> None:
    rendered = RENDERER.render(one)
    masked = np.flatnonzero(rendered.kinds == ERROR)
    assume(len(masked) > 0)
    place = int(data.draw(st.sampled_from(masked.tolist())))
    changed = rendered.input_ids.astype(np.int64)
    changed[place] = (changed[place] + data.draw(st.integers(1, model.config.vocab_size - 1))) % model.config.vocab_size
    with torch.no_grad():
        before, after = (
            model(input_ids=torch.from_numpy(ids)[None], use_cache=False).logits[0]
            for ids in (rendered.input_ids.astype(np.int64), changed)
        )
    moved = (before - after).abs().amax(-1)
    assert bool((moved[place:] > 0).all())
    assert not moved[:place].any()
