"""What somebody asks for: the instructions that come with a product, from which goals are made.

``items_ins_v2*.json`` has at most one a product, written by a rule; ``items_human_ins.json`` has any number, written by
people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import RestepError


@dataclass(frozen=True, slots=True)
class Request:
    """``attributes`` are wanted of the product; ``options`` are wanted values, only where a person wrote the request."""

    text: str
    attributes: tuple[str, ...]
    options: tuple[str, ...] = ()


def parse_request(row: Mapping[str, Any] | None) -> Request | None:
    """The request in a product's row of ``items_ins_v2*.json``; None where it has none. Raises ``data_corrupt``."""
    if row is None or row.get("instruction") is None:
        return None
    try:
        request = Request(row["instruction"], tuple(row["instruction_attributes"]))
    except (KeyError, TypeError) as error:
        raise RestepError("data_corrupt", f"instruction {row}: {type(error).__name__}: {error}") from error
    if not request.attributes:
        raise RestepError("data_corrupt", f"an instruction without attributes: {request.text}")
    return request


def parse_human_requests(rows: Sequence[Mapping[str, Any]] | None) -> tuple[Request, ...]:
    """A product's requests in ``items_human_ins.json``, but those without attributes. Raises ``data_corrupt``."""
    try:
        return tuple(
            Request(row["instruction"].strip("."), tuple(row["instruction_attributes"]), tuple(row["instruction_options"]))
            for row in rows or ()
            if row["instruction_attributes"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RestepError("data_corrupt", f"human instruction: {type(error).__name__}: {error}") from error
