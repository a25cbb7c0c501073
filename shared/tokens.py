"""Bearer tokens, read from a file: one a line, so that a token can be replaced while the old one still holds.

A line is a token, or the name of a client and its token. A name tells clients apart that share an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import RestepError


@dataclass(frozen=True, slots=True)
class Token:
    """A secret, and the client it belongs to, if it is one's own. The secret is no part of what is printed."""

    secret: str = field(repr=False)
    client: str | None = None


Tokens = Sequence[Token]


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a file, at least one; empty lines and those that begin with # are none.

    Raises ``data_not_found`` for a file without one, ``data_corrupt`` for a line that is neither.
    """
    tokens: list[Token] = []
    for number, line in enumerate(secret_text(path).splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 2:
            raise RestepError("data_corrupt", f"token file {path}, line {number}: a line is a token, or a name and a token")
        tokens.append(Token(words[-1], words[0] if len(words) == 2 else None))
    if not tokens:
        raise RestepError("data_not_found", f"token file {path} holds no token")
    return tuple(tokens)


def secret_text(path: Path, what: str = "token file") -> str:
    """What a file with secrets holds. Raises ``data_not_found``; no error tells any of it."""
    try:
        return path.read_text()
    except OSError as error:
        raise RestepError("data_not_found", f"{what} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RestepError("data_not_found", f"{what} {path} is not text") from None
