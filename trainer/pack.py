"""Whole trajectories packed into rows of a bounded number of tokens.

Packing saves the padding and keeps the work of every micro-batch alike. Documents in a row never see one another: a
row carries ``position_ids`` and ``cu_seq_lens``, never an ``attention_mask``, which would switch that separation off.
Nothing is cut silently: what does not fit the model is cut at the end of a turn, and counted.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from trainer.balance import exchange, spread, trained_tokens
from trainer.render import KINDS, Rendered, in_answers
from trainer.weights import turn_ends

_ERROR = KINDS.index("error")


@dataclass(frozen=True, slots=True)
class Pack:
    """One row: documents one after another."""

    documents: tuple[Rendered, ...]

    @property
    def tokens(self) -> int:
        """Length of the row."""
        return sum(len(document) for document in self.documents)


@dataclass(slots=True)
class PackReport:
    """What was packed and what was not. Tokens are of one epoch; ``masked_tokens`` are answers without weight.

    ``efficiency`` is the mean fill of a row, ``fewest_packs`` how many rows these lengths take at the very least,
    ``trained_spread`` how unlike rows are in trained tokens (their standard deviation over their mean). ``cut_steps``
    counts steps that trajectories lost to the length limit, by task type and provenance; ``dropped`` counts trajectories
    of which nothing trained was left, by task type, and ``dropped_steps`` all their steps, by task type and provenance.
    """

    trajectories: int = 0
    packs: int = 0
    fewest_packs: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    masked_tokens: int = 0
    longest: int = 0
    efficiency: float = 0.0
    trained_spread: float = 0.0
    cut_trajectories: int = 0
    cut_steps: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    dropped_steps: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])

    def count(self, document: Rendered) -> None:
        """Add a document that is kept."""
        self.trajectories += 1
        self.tokens += len(document)
        self.trained_tokens += trained_tokens(document)
        self.masked_tokens += int((in_answers(document.kinds) & (document.weights == 0)).sum())
        self.longest = max(self.longest, len(document))

    def count_cut(self, whole: Rendered, kept: Rendered) -> None:
        """Add the steps that a cut took away."""
        self.cut_trajectories += 1
        _add(self.cut_steps, whole.task, _steps(whole) - _steps(kept))

    def count_dropped(self, document: Rendered) -> None:
        """Add a document that is not kept."""
        self.dropped[document.task] = self.dropped.get(document.task, 0) + 1
        _add(self.dropped_steps, document.task, _steps(document))


def _add(counts: dict[str, dict[str, int]], task: str, steps: set[tuple[int, int]]) -> None:
    of_task = counts.setdefault(task, {})
    for _, kind in steps:
        of_task[KINDS[kind]] = of_task.get(KINDS[kind], 0) + 1


def _steps(document: Rendered) -> set[tuple[int, int]]:
    answers = in_answers(document.kinds)
    return {(int(step), int(kind)) for step, kind in zip(document.steps[answers], document.kinds[answers], strict=True)}


def cut(document: Rendered, max_length: int) -> Rendered:
    """The document up to the last trained turn that ends within ``max_length`` tokens; empty when there is none.

    What stands after the last trained turn could not train anything; a document that fits is returned whole.
    """
    if len(document) <= max_length:
        return document
    trained = np.cumsum(document.weights > 0)
    ends = turn_ends(document)
    starts = np.append(0, ends[:-1])
    useful = ends[(ends <= max_length) & (trained[ends - 1] > np.where(starts > 0, trained[starts - 1], 0))]
    end = int(useful[-1]) if len(useful) else 0
    return replace(
        document,
        input_ids=document.input_ids[:end],
        weights=document.weights[:end],
        steps=document.steps[:end],
        kinds=document.kinds[:end],
        actions=document.actions[:end],
    )


def fitted(document: Rendered, max_length: int) -> Rendered | None:
    """The document, :func:`cut` where it is too long; None when nothing of it would be trained."""
    fitting = cut(document, max_length)
    return fitting if (fitting.weights[1:] > 0).any() else None


def pack(documents: Iterable[Rendered], pack_tokens: int, max_length: int, seed: int) -> tuple[list[Pack], PackReport]:
    """Best-fit decreasing into rows of at most ``pack_tokens`` (or one document, where that is longer).

    Trained tokens are then spread over the rows, see :mod:`trainer.balance`. Documents of one length are taken in an
    order drawn from ``seed``, and so are the rows afterwards.
    """
    report = PackReport()
    kept: list[Rendered] = []
    for document in documents:
        fitting = fitted(document, max_length)
        if fitting is None:
            report.count_dropped(document)
            continue
        if len(fitting) < len(document):
            report.count_cut(document, fitting)
        report.count(fitting)
        kept.append(fitting)
    rng = np.random.default_rng(seed)
    shuffled = [kept[int(index)] for index in rng.permutation(len(kept))]
    shuffled.sort(key=len, reverse=True)  # stable: documents of one length stay shuffled
    rows = _best_fit(shuffled, pack_tokens)
    exchange(rows, pack_tokens)
    packs = [Pack(tuple(rows[int(index)])) for index in rng.permutation(len(rows))]
    report.packs = len(packs)
    if packs:
        report.fewest_packs = fewest_rows([len(document) for document in kept], pack_tokens)
        report.efficiency = report.tokens / sum(max(pack_tokens, row.tokens) for row in packs)
        report.trained_spread = spread(rows)
    return packs, report


def _best_fit(documents: Iterable[Rendered], capacity: int) -> list[list[Rendered]]:
    """Put each document, longest first, into the fullest row that has room for it."""
    rows: list[list[Rendered]] = []
    room: list[tuple[int, int]] = []  # (tokens left, row), sorted
    for document in documents:
        place = bisect.bisect_left(room, (len(document), -1))
        if place == len(room):
            left, row = capacity, len(rows)
            rows.append([])
        else:
            left, row = room.pop(place)
        rows[row].append(document)
        bisect.insort(room, (left - len(document), row))
    return rows


def fewest_rows(lengths: Sequence[int], capacity: int) -> int:
    """A number of rows that no packing of these lengths can go below: the bound L2 of Martello and Toth.

    Documents of more than half a row never share one, and leave room that only short ones can fill; so for every length
    it takes from the tokens of the documents from there up to half a row what fits beside the long ones that they fit
    beside. A document longer than a row has one of its own.
    """
    whole = np.sort(np.asarray(lengths, np.int64))
    own = int((whole > capacity).sum())
    sizes = whole[: len(whole) - own]
    sums = np.append(0, np.cumsum(sizes))
    long = int(np.searchsorted(sizes, capacity / 2, "right"))
    shortest = np.unique(np.append(0, sizes[:long]))
    shared = np.searchsorted(sizes, capacity - shortest, "right")
    room = (shared - long) * capacity - (sums[shared] - sums[long])
    short = sums[long] - sums[np.searchsorted(sizes, shortest, "left")]
    return own + int((len(sizes) - long + np.maximum(0, -((room - short) // capacity))).max())


def data_hash(packs: Iterable[Pack]) -> str:
    """First 32 hex digits of the SHA-256 over ids, weights, origins and borders of all rows in order."""
    digest = hashlib.sha256()
    for row in packs:
        digest.update(b"row")
        for document in row.documents:
            digest.update(len(document).to_bytes(8, "little"))
            for array in (document.input_ids, document.weights, document.kinds):
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


Batch = dict[str, torch.Tensor | int]


def collate(row: Pack) -> Batch:
    """Tensors of one row of L tokens in n documents, of which K tokens are predicted.

    ``input_ids``, ``position_ids`` [1, L]; ``cu_seq_lens_q``, ``cu_seq_lens_k`` [n + 1] int32; ``max_length_q``,
    ``max_length_k``; and for each predicted token ``predictors`` [K] (the position whose logits predict it),
    ``targets`` [K], ``weights`` [K] float32, ``kinds`` [K], ``actions`` [K] bool and ``documents`` [K] (the number of
    its document in the row). Predicted are tokens with weight and error steps, whose loss is watched; never the first
    token of a document.
    """
    lengths = [len(document) for document in row.documents]
    borders = np.cumsum([0, *lengths])
    ids = np.concatenate([document.input_ids for document in row.documents])
    weights = np.concatenate([document.weights for document in row.documents])
    kinds = np.concatenate([document.kinds for document in row.documents])
    actions = np.concatenate([document.actions for document in row.documents])
    predicted = (weights > 0) | (kinds == _ERROR)
    predicted[borders[:-1]] = False
    targets = np.flatnonzero(predicted)
    bounds = torch.from_numpy(borders.astype(np.int32))
    return {
        "input_ids": torch.from_numpy(ids.astype(np.int64))[None],
        "position_ids": torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))[None],
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
        "predictors": torch.from_numpy(targets - 1),
        "targets": torch.from_numpy(ids[targets].astype(np.int64)),
        "weights": torch.from_numpy(weights[targets]),
        "kinds": torch.from_numpy(kinds[targets].astype(np.int64)),
        "actions": torch.from_numpy(actions[targets]),
        "documents": torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths)[targets]),
    }
