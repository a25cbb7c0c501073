from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ERRORS, Problem, RestepError


@given(st.sampled_from(sorted(ERRORS)), st.text(min_size=1), st.none() | st.floats(0, 1e6))
def test_an_error_survives_the_wire(code: str, detail: str, retry_after: float | None) -> None:
    error = RestepError(code, detail, retry_after=retry_after)
    wire = Problem.model_validate_json(error.problem("/v1/x").model_dump_json())
    again = RestepError.from_problem(wire)
    assert (again.code, again.detail, again.retry_after) == (code, detail, retry_after)
    assert again.retryable == ERRORS[code].retryable


def test_a_code_outside_the_table_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        RestepError("nonsense")


def test_an_unknown_code_from_a_server_is_a_protocol_violation() -> None:
    problem = RestepError("internal", "what").problem().model_copy(update={"code": "brand_new"})
    error = RestepError.from_problem(problem)
    assert error.code == "protocol_violation"
    assert "brand_new" in error.detail
    assert "what" in error.detail


def test_detail_defaults_to_the_title() -> None:
    error = RestepError("draining")
    assert error.detail == ERRORS["draining"].title
    assert str(error) == f"draining: {error.detail}"


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_row_is_a_usable_problem(code: str) -> None:
    problem = RestepError(code).problem()
    assert 400 <= problem.status < 600
    assert problem.title
    assert problem.type.endswith(code)
    assert problem.retryable == (problem.status in (429, 502, 503, 504) and code != "protocol_violation")
