"""What every failure that a user can cause has in common: a code, and one line."""

from __future__ import annotations

import pytest

from shared.errors import RestepError


def refusal(code: str = "store_failed") -> pytest.RaisesExc[RestepError]:
    """Expect an error of this code that says what is wrong in one line."""
    return pytest.RaisesExc(RestepError, check=lambda error: error.code == code and "\n" not in error.detail)
