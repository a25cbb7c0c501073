"""A player whose answers are given by the test: for rules that a sampled student would meet only by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.react import parse_turn, turn_text
from trainer.rollout import Answer, Draft, Policy


class Scripted:
    """Says ``texts`` one after the other in every episode, then has no room left. A bare action gets a thought."""

    def __init__(self, *texts: str, author: str = "scripted") -> None:
        self.texts, self._author = [text if ":" in text else turn_text("I try.", text) for text in texts], author

    async def author(self) -> str:
        return self._author

    def begin(self, draft: Draft, attempt: int) -> Policy:
        del draft, attempt
        return _Lines(self.texts, self._author)


class _Lines:
    def __init__(self, texts: Sequence[str], author: str) -> None:
        self._lines: Iterator[str] = iter(texts)
        self._author = author

    async def act(self, draft: Draft) -> Answer | None:
        del draft
        text = next(self._lines, None)
        return None if text is None else Answer(parse_turn(text), text, "student", self._author)
