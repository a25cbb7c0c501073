"""Packing keeps whole documents, loses none silently, and marks exactly the tokens that are predicted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shared.react import turn_text
from tests.support.tiny_model import tiny_tokenizer
from tests.support.trajectories import Said, sample, trajectory
from trainer.pack import Pack, collate, cut, data_hash, fewest_rows, pack
from trainer.render import KINDS, Rendered, Renderer
from trainer.weights import turn_ends

RENDERER = Renderer.from_tokenizer(tiny_tokenizer())
GOLDEN, ERROR, PROMPT = (KINDS.index(kind) for kind in ("golden", "error", "prompt"))


def _document(length: int, name: int = 0) -> Rendered:
    """A prompt token, then one golden turn."""
    kinds = np.full(length, GOLDEN, np.uint8)
    kinds[0] = PROMPT
    return Rendered(
        trajectory=str(name),
        task="t",
        input_ids=np.full(length, name, np.int32),
        weights=(kinds == GOLDEN).astype(np.float32),
        steps=np.where(kinds == GOLDEN, 0, -1).astype(np.int32),
        kinds=kinds,
        actions=np.zeros(length, np.bool_),
    )


LENGTHS = st.lists(st.integers(2, 60), min_size=1, max_size=40)


@given(LENGTHS, st.integers(0, 5))
def test_every_document_is_in_exactly_one_row_and_rows_are_bounded(lengths: list[int], seed: int) -> None:
    packs, report = pack([_document(length, name) for name, length in enumerate(lengths)], 64, 64, seed)
    names = sorted(int(document.trajectory) for row in packs for document in row.documents)
    assert names == list(range(len(lengths)))
    assert all(row.tokens <= 64 for row in packs)
    assert report.trajectories == len(lengths)
    assert report.tokens == sum(lengths) == sum(row.tokens for row in packs)
    assert report.trained_tokens == sum(lengths) - len(lengths)
    assert report.efficiency == pytest.approx(sum(lengths) / (64 * len(packs)))
    assert not report.dropped
    assert not report.cut_steps


@given(LENGTHS)
def test_no_two_rows_could_have_been_one(lengths: list[int]) -> None:
    packs, _ = pack([_document(length) for length in lengths], 64, 64, 0)
    assert all(a.tokens + b.tokens > 64 for a, b in pairwise(sorted(packs, key=lambda row: row.tokens)))


def _rows_of_the_best(lengths: list[int], capacity: int) -> int:
    """By trying all: each document into every row it fits, or one of its own."""
    best = len(lengths)

    def place(left: list[int], rooms: tuple[int, ...]) -> None:
        nonlocal best
        if len(rooms) >= best:
            return
        if not left:
            best = len(rooms)
            return
        first, *rest = left
        for at, room in enumerate(rooms):
            if room >= first and room not in rooms[:at]:
                place(rest, (*rooms[:at], room - first, *rooms[at + 1 :]))
        place(rest, (*rooms, capacity - first))

    place(sorted(lengths, reverse=True), ())
    return best


@given(st.lists(st.integers(2, 20), min_size=1, max_size=9))
def test_no_packing_takes_fewer_rows_than_the_bound(lengths: list[int]) -> None:
    best = _rows_of_the_best(lengths, 20)
    bound = fewest_rows(lengths, 20)
    assert -(-sum(lengths) // 20) <= bound <= best
    assert bound == best or best - bound == 1
    _, report = pack([_document(length) for length in lengths], 20, 20, 0)
    assert report.fewest_packs == bound
    assert best <= report.packs <= best + 1


def test_long_documents_cannot_share_a_row_whatever_stands_beside_them() -> None:
    assert fewest_rows([60, 60, 60], 100) == 3
    assert fewest_rows([60, 60, 30, 30], 100) == 2
    assert fewest_rows([70, 70, 31, 20], 100) == 3  # 191 tokens, but 31 fit beside neither
    assert fewest_rows([250, 30], 100) == 2  # longer than a row: one of its own


@given(LENGTHS, st.integers(0, 5))
def test_the_hash_is_of_seed_content_and_order(lengths: list[int], seed: int) -> None:
    documents = [_document(length, name) for name, length in enumerate(lengths)]
    packs, _ = pack(documents, 64, 64, seed)
    assert data_hash(packs) == data_hash(pack(documents, 64, 64, seed)[0])
    changed = [*packs[:-1], Pack((*packs[-1].documents[:-1], _document(len(packs[-1].documents[-1]), 99)))]
    assert data_hash(packs) != data_hash(changed)
    if len(packs) > 1:
        assert data_hash(packs) != data_hash(packs[1:] + packs[:1])


@given(LENGTHS, st.integers(0, 5))
def test_spreading_what_is_trained_costs_no_row(lengths: list[int], seed: int) -> None:
    documents = [_document(length, name) for name, length in enumerate(lengths)]
    plain, _ = pack(documents, 64, 64, seed)
    for document in documents[::2]:
        document.weights[1 : len(document) // 2] = 0.0
    packs, report = pack(documents, 64, 64, seed)
    assert len(packs) == len(plain)
    taught = [sum(int((one.weights > 0).sum()) for one in row.documents) for row in packs]
    assert report.trained_spread == pytest.approx(np.std(taught) / np.mean(taught))


def test_a_document_longer_than_a_row_has_a_row_of_its_own() -> None:
    packs, report = pack([_document(100), _document(10)], 64, 200, 0)
    assert sorted(row.tokens for row in packs) == [10, 100]
    assert report.efficiency == pytest.approx(110 / 164)


@given(st.integers(1, 400))
def test_a_cut_ends_a_trained_turn_and_is_the_longest_that_does(limit: int) -> None:
    whole = RENDERER.render(sample()[0])
    kept = cut(whole, limit)
    if len(whole) <= limit:
        assert kept is whole
        return
    assert len(kept) <= limit
    assert np.array_equal(kept.input_ids, whole.input_ids[: len(kept)])
    assert np.array_equal(kept.weights, whole.weights[: len(kept)])
    trained_ends = [end for end in turn_ends(whole).tolist() if whole.weights[end - 1] > 0 and end <= limit]
    assert len(kept) == (trained_ends[-1] if trained_ends else 0)


def test_what_a_cut_takes_is_counted_by_task_and_provenance() -> None:
    whole = RENDERER.render(sample()[0])
    first_turn = int(turn_ends(whole)[0])
    _, report = pack([whole], 4096, first_turn, 0)
    assert report.cut_trajectories == report.trajectories == 1
    assert report.cut_steps == {"boil": {"error": 1, "reflection": 1, "correction": 1, "golden": 1}}


def test_what_is_dropped_whole_is_counted_by_task_and_provenance_and_not_as_cut() -> None:
    whole = RENDERER.render(sample()[0])
    packs, report = pack([whole, RENDERER.render(sample()[1])], 4096, int(turn_ends(whole)[0]) - 1, 0)
    assert packs == []
    assert report.dropped == {"boil": 1, "melt": 1}
    assert report.dropped_steps == {"boil": {"golden": 2, "error": 1, "reflection": 1, "correction": 1}, "melt": {"golden": 2}}
    assert report.cut_trajectories == report.fewest_packs == 0
    assert report.cut_steps == {}
    assert report.efficiency == 0.0


def test_a_trajectory_without_a_trained_step_is_dropped_and_counted() -> None:
    untrained = RENDERER.render(trajectory([Said("error", turn_text("a", "b"))]))
    packs, report = pack([untrained, RENDERER.render(sample()[1])], 4096, 4096, 0)
    assert len(packs) == 1
    assert report.dropped == {"boil": 1}
    assert report.dropped_steps == {"boil": {"error": 1}}


def test_a_row_carries_borders_and_never_a_mask() -> None:
    documents = tuple(RENDERER.render(one) for one in sample())
    batch = collate(Pack(documents))
    lengths = [len(document) for document in documents]
    assert "attention_mask" not in batch
    assert "labels" not in batch
    borders, positions = batch["cu_seq_lens_q"], batch["position_ids"]
    assert isinstance(borders, torch.Tensor)
    assert isinstance(positions, torch.Tensor)
    assert borders.tolist() == np.cumsum([0, *lengths]).tolist()
    assert positions[0].tolist() == [place for length in lengths for place in range(length)]
    assert batch["max_length_q"] == max(lengths)


def test_predicted_tokens_are_those_with_weight_and_errors_each_from_the_place_before() -> None:
    documents = tuple(RENDERER.render(one) for one in sample())
    batch = {name: value for name, value in collate(Pack(documents)).items() if isinstance(value, torch.Tensor)}
    ids = np.concatenate([document.input_ids for document in documents])
    weights = np.concatenate([document.weights for document in documents])
    kinds = np.concatenate([document.kinds for document in documents])
    expected = np.flatnonzero((weights > 0) | (kinds == ERROR))
    assert batch["predictors"].tolist() == (expected - 1).tolist()
    assert batch["targets"].tolist() == ids[expected].tolist()
    assert batch["weights"].tolist() == weights[expected].tolist()
    assert batch["kinds"].tolist() == kinds[expected].tolist()


def test_the_first_token_of_a_document_is_never_predicted() -> None:
    document = _document(4)
    document.weights[0] = 1.0
    batch = collate(Pack((document, document)))
    assert isinstance(batch["predictors"], torch.Tensor)
    assert batch["predictors"].tolist() == [0, 1, 2, 4, 5, 6]
