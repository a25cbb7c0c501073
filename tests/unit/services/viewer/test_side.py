from __future__ import annotations

import pytest

from services.viewer.side import Side
from shared.errors import RestepError


@pytest.mark.parametrize("side", [Side("demo", "evaluation/step/sciworld", 0), Side("a.b-c", "a:b/c", 12)])
def test_a_side_is_read_as_it_was_written(side: Side) -> None:
    assert Side.parse(str(side)) == side


@pytest.mark.parametrize(
    "text", ["", "a", "a:b", "a:b:", "a:b:c", "a:b:-1", "a:b:1.5", "a:b:²", ":b:1", "a::1", f"a:b:{10**20}"]
)
def test_what_is_no_side_is_refused(text: str) -> None:
    with pytest.raises(RestepError) as caught:
        Side.parse(text)
    assert caught.value.code == "invalid_request"
