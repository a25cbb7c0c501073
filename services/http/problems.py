"""Every exception as a row of the error table; the part that knows no HTTP framework.

What has no row is logged with its trace and answered as ``internal``, without it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from shared.errors import Problem, RestepError

log = logging.getLogger(__name__)

_DEFAULT_RETRY_AFTER: Final = 1.0
_MAX_NAMED_FIELDS: Final = 5
OVERLOADED: Final = frozenset({429, 503})


def as_error(error: Exception) -> RestepError:
    """The row of the error table for any exception; what has none is logged with its trace and is ``internal``."""
    if isinstance(error, RestepError):
        return error
    log.error("unexpected %s", type(error).__name__, exc_info=error)
    return RestepError("internal")


def as_problem(error: Exception, instance: str | None = None) -> Problem:
    """The problem document of any exception; 429 and 503 always say when to come back."""
    problem = as_error(error).problem(instance)
    if problem.retry_after is None and problem.status in OVERLOADED:
        problem.retry_after = _DEFAULT_RETRY_AFTER
    return problem


def invalid(errors: Sequence[Any]) -> RestepError:
    """A validation failure as ``malformed_json`` or ``invalid_request``. Names fields, never echoes their values."""
    if any(error["type"] == "json_invalid" for error in errors):
        return RestepError("malformed_json", errors[0]["msg"])
    named = [f"{'.'.join(str(part) for part in error['loc']) or 'body'}: {error['msg']}" for error in errors]
    more = len(named) - _MAX_NAMED_FIELDS
    return RestepError("invalid_request", "; ".join(named[:_MAX_NAMED_FIELDS]) + (f"; and {more} more" if more > 0 else ""))


def from_validation(error: ValidationError) -> RestepError:
    """The same for a model read by hand."""
    return invalid(error.errors(include_url=False, include_context=False, include_input=False))
