"""A client that knows one remedy: to ask again, until it has a whole answer. It keeps what it was told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, Self

import httpx

from tests.support.proxy import CUTS

_ASIDE: Final = (
    (r'"expires_in":[0-9.e+-]+', '"expires_in":0'),
    (r'"id":"(chatcmpl|cmpl)-[0-9a-f]+"', '"id":""'),
    (r'"created":\d+', '"created":0'),
    (r'"cached_tokens":\d+', '"cached_tokens":0'),
)
"""What differs between two equal answers: times, names that are drawn, and what a cache happened to hold."""


class Walker:
    """``async with Walker(url, "anna") as walker``: two whose answers are the same but for their names have equal ``told``."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.told: list[tuple[str, int, str]] = []
        self.client = httpx.AsyncClient(base_url=url, timeout=60, headers={"Accept": "text/html, */*"})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def ask(self, method: str, path: str, body: object = None, *, keep: bool = True, **more: Any) -> httpx.Response:
        """The answer, whatever its status but 429. What does not ``keep`` is told by its status alone."""
        cuts = 0
        while cuts <= len(CUTS):
            try:
                answer = await self.client.request(method, path, json=body, **more)
            except httpx.TransportError:
                cuts += 1
                continue
            if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                await asyncio.sleep(0.05)
                continue
            said = self._said(answer) if keep else ""
            status = 200 if answer.status_code == 201 else answer.status_code  # made now, or when it was asked for before
            self.told.append((f"{method} {path}".replace(self.name, "ID"), status, said))
            return answer
        raise AssertionError(f"{method} {path} is cut for ever")

    async def ask_plain(self, kinds: Iterable[str], changing: Iterable[str]) -> None:
        """Every GET among ``kinds`` that needs no more than its path; those ``changing`` from one moment to the next too."""
        for kind in sorted(kinds):
            method, _, path = kind.partition(" ")
            if method == "GET" and "{" not in path:
                await self.ask(method, path, keep=path not in changing)

    def _said(self, answer: httpx.Response) -> str:
        said = answer.text.replace(self.name, "ID")
        for varying, fixed in _ASIDE:
            said = re.sub(varying, fixed, said)
        return said
