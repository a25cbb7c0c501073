"""What makes two recipes the same experiment, wherever each of them runs: all fields but those that may be moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from trainer.finetune_config import HOW

_MOVABLE_OF_ENDPOINT: Final = ("url", "key_env", "key_file", "concurrency", "timeout", "patience")
_MOVABLE: Final = (
    "description",
    "store",
    "agent",
    "environments.*.url",
    "environments.*.workers",
    *(f"{stage}.collection.lease_seconds" for stage in ("golden", "reflected", "evaluation")),
    *(f"finetune.{field}" for field in HOW),
    *(f"{who}.endpoint.{field}" for who in ("golden", "teacher") for field in _MOVABLE_OF_ENDPOINT),
    *(f"{who}.{field}" for who in ("golden", "teacher") for field in ("budget", "prices")),
)
"""Fields that may change between two starts of one run: they say where it runs and what it may cost, not what it is."""


def difference(begun: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """``with another evaluation.seed (1, not 2)``: the first field that makes them two experiments; None where none does."""
    return _first_difference(_identity(begun), _identity(wanted))


def _identity(fields: dict[str, Any], path: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe's fields without those that may change."""
    return {
        field: _identity(cast(dict[str, Any], value), [*path, field]) if isinstance(value, dict) else value
        for field, value in fields.items()
        if not any(_covers(movable.split("."), [*path, field]) for movable in _MOVABLE)
    }


def _covers(pattern: list[str], path: list[str]) -> bool:
    return len(pattern) == len(path) and all(one in ("*", two) for one, two in zip(pattern, path, strict=True))


def _first_difference(begun: dict[str, Any], wanted: dict[str, Any], path: str = "") -> str | None:
    for key in [*wanted, *(begun.keys() - wanted.keys())]:
        where = f"{path}{key}"
        if key not in begun:
            return f"without {where}"
        if key not in wanted:
            return f"with {where}"
        one, two = begun[key], wanted[key]
        if isinstance(one, dict) and isinstance(two, dict):
            if found := _first_difference(cast(dict[str, Any], one), cast(dict[str, Any], two), f"{where}."):
                return found
        elif one != two:
            return f"with another {where} ({one}, not {two})"
    return None
