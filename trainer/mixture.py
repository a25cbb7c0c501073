"""What is drawn into a pre-training batch, and when: copying exercises first, short plays next, whole episodes last.

A batch is a function of (seed, number), so a run that was killed goes on with the very batches it would have seen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerFast

from trainer.chat_format import Codec
from trainer.corpus import tell
from trainer.dialogue import Message
from trainer.play import Play
from trainer.vocabulary import END, START
from trainer.worlds.world import World

EXERCISES: Final = ((0.06, 0.75, 320), (0.5, 0.4, 900), (1.01, 0.2, 1700))
"""The curriculum: up to this share of the budget, this share of exercises, documents of at most so many tokens."""
PLAIN: Final = 0.06
"""Share of documents read word by word, so that text without the known phrases is not strange."""
IN_PLACES: Final = 0.7
"""Share of exercises that are set in a place that was seen, after the first stage."""
OBSERVATION_WEIGHT = 0.3
"""Observations teach reading (what a look lists is repeated copying); answers are what is wanted."""


@dataclass(frozen=True, slots=True)
class Document:
    """Ids of one dialogue and the weight of predicting each of them (0 to 1; 0 for the system message and for errors)."""

    ids: list[int]
    weights: list[float]


@dataclass(frozen=True, slots=True)
class Block:
    """Documents of similar length, padded on the right. ``weights`` of padding are 0; shapes (documents, length)."""

    ids: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


def encode_dialogue(messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast, limit: int) -> Document:
    """ChatML ids as the renderer makes them, ended after the last whole message within ``limit`` tokens."""
    codec = Codec(tokenizer)
    start, end = codec.encode(START + END, special=True)
    newline = codec.encode("\n")
    ids: list[int] = []
    weights: list[float] = []
    for message in messages:
        head = [start, *codec.encode(f"{message.role}\n")]
        body = [*codec.encode(message.text), end]
        if ids and len(ids) + len(head) + len(body) + len(newline) > limit:
            break
        weight = {"system": 0.0, "user": OBSERVATION_WEIGHT, "assistant": float(message.learned)}[message.role]
        ids += [*head, *body, *newline]
        weights += [0.0] * len(head) + [weight] * len(body) + [0.0] * len(newline)
    return Document(ids, weights)


class Source:
    """What one world gives: its plays by kind, the places seen in them, its names."""

    def __init__(self, world: World, plays: Sequence[Play], names: Sequence[str]) -> None:
        by_kind = [([play for play in plays if play.kind == kind], share) for kind, share in world.kinds.items()]
        self._plays = [some for some, _ in by_kind if some]
        self._weights = [share for some, share in by_kind if some]
        self._looks = sorted({look for play in plays for look in world.looks(play)})
        self._names, self.world = names, world

    def exercise(self, rng: random.Random, *, in_places: bool) -> list[Message]:
        """A short dialogue that exercises copying, in places really seen where ``in_places``."""
        if in_places and rng.random() < IN_PLACES:
            done = self.world.doing(rng.choice(self._looks), rng)
            if done is not None:
                return done
        return self.world.exercise(self._names, rng)

    def told(self, rng: random.Random) -> list[Message]:
        """A play, worded anew."""
        while True:
            plays = rng.choices(self._plays, self._weights)[0]
            messages = tell(rng.choice(plays), self.world, rng)
            if messages is not None:
                return messages


class Mixture:
    """Draws batches from sources by their worlds' shares. ``progress`` in 0..1 is the share of the budget already seen."""

    def __init__(
        self, sources: Sequence[Source], tokenizer: PreTrainedTokenizerFast, plain: PreTrainedTokenizerFast, seed: int
    ) -> None:
        self._sources, self._shares = sources, [source.world.options.share for source in sources]
        self._tokenizer, self._plain, self._seed = tokenizer, plain, seed

    def document(self, rng: random.Random, progress: float) -> Document:
        """One dialogue, worded anew."""
        source = rng.choices(self._sources, self._shares)[0]
        stage = next(number for number, (until, _, _) in enumerate(EXERCISES) if progress < until)
        _, exercises, longest = EXERCISES[stage]
        tokenizer = self._plain if rng.random() < PLAIN else self._tokenizer
        if rng.random() < exercises:
            return encode_dialogue(source.exercise(rng, in_places=stage > 0), tokenizer, longest)
        return encode_dialogue(source.told(rng), tokenizer, longest)

    def batch(self, number: int, progress: float, tokens: int, block_tokens: int) -> list[Block]:
        """About ``tokens`` tokens in blocks of at most ``block_tokens`` padded ones, short documents first."""
        rng = random.Random(f"{self._seed}/{number}")
        drawn: list[Document] = []
        while sum(len(d.ids) for d in drawn) < tokens:
            drawn.append(self.document(rng, progress))
        return [self.pad(group) for group in _groups(sorted(drawn, key=lambda d: len(d.ids)), block_tokens)]

    def pad(self, documents: Sequence[Document]) -> Block:
        """Right-padded arrays of a group of documents."""
        longest = max(len(d.ids) for d in documents)
        ids = np.full((len(documents), longest), self._tokenizer.pad_token_id, dtype=np.int64)
        weights = np.zeros((len(documents), longest), dtype=np.float32)
        for row, document in enumerate(documents):
            ids[row, : len(document.ids)] = document.ids
            weights[row, : len(document.ids)] = document.weights
        return Block(ids, weights)


def _groups(documents: Sequence[Document], block_tokens: int) -> list[list[Document]]:
    groups: list[list[Document]] = []
    for document in documents:
        if groups and (len(groups[-1]) + 1) * len(document.ids) <= block_tokens:
            groups[-1].append(document)
        else:
            groups.append([document])
    return groups
