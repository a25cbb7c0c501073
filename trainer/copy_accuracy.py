"""How well a model copies: the figure that tells that a student can read, long before it succeeds at a task.

Teacher-forced on held-out plays: of the tokens that are names, how often is the likeliest next token the right one?
Counted apart in actions, in thoughts and in repeated sequences; all other tokens of an answer measure the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from trainer.dialogue import Message
from trainer.mixture import encode_dialogue


class CopyProbe:
    """Held-out dialogues, and the kind of every token in them: thought_name, action_name, or format."""

    def __init__(
        self,
        dialogues: Sequence[Sequence[Message]],
        names: Sequence[str],
        tokenizer: PreTrainedTokenizerFast,
        limit: int = 1000,
    ) -> None:
        named: set[int] = set()
        for name in names:
            for written in (f" {name}", name):
                ids = tokenizer.encode(written, add_special_tokens=False)
                if len(ids) == 1:
                    named.add(ids[0])
        self._action = tokenizer.encode("\nAction:", add_special_tokens=False)[-1]
        self._end = tokenizer.eos_token_id
        self._rows = [encode_dialogue(d, tokenizer, limit) for d in dialogues]
        self._kinds = [self._label(row.ids, row.weights, named) for row in self._rows]

    def _label(self, ids: Sequence[int], weights: Sequence[float], named: set[int]) -> list[str]:
        kinds: list[str] = []
        acting = False
        for token, weight in zip(ids, weights, strict=True):
            if weight < 1.0:
                kinds.append("")
                acting = False
                continue
            kinds.append(("action_name" if acting else "thought_name") if token in named else "format")
            acting = acting or token == self._action
        return kinds

    def measure(self, model: Any) -> dict[str, float]:
        """Share of right next tokens by kind, and the mean negative log-likelihood of answers (``held_nll``).

        Empty where there are no dialogues.
        """
        right: dict[str, int] = {}
        count: dict[str, int] = {}
        nll = 0.0
        with torch.no_grad():
            for row, kinds in zip(self._rows, self._kinds, strict=True):
                ids = torch.tensor([row.ids])
                logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
                guess: list[int] = logits.argmax(-1).tolist()
                losses = cast("list[float]", functional.cross_entropy(logits, ids[0, 1:], reduction="none").tolist())
                for kind, predicted, token, loss in zip(kinds[1:], guess, row.ids[1:], losses, strict=True):
                    if kind:
                        count[kind] = count.get(kind, 0) + 1
                        right[kind] = right.get(kind, 0) + (predicted == token)
                        nll += loss
        shares = {kind: round(right[kind] / count[kind], 4) for kind in sorted(count)}
        return {**shares, "held_nll": round(nll / sum(count.values()), 4)} if count else {}
