"""Requests in the official instruction files."""

from __future__ import annotations

from typing import Any

import pytest

from services.webshop.request import Request, parse_human_requests, parse_request
from shared.errors import RestepError


def test_a_written_request() -> None:
    assert parse_request({"instruction": "Find me tea", "instruction_attributes": ["green"]}) == Request(
        "Find me tea", ("green",)
    )


@pytest.mark.parametrize("row", [None, {}, {"attributes": ["green"]}, {"instruction": None}])
def test_a_product_without_a_request(row: dict[str, str] | None) -> None:
    assert parse_request(row) is None


def test_requests_of_people_lose_their_dots_and_need_an_attribute() -> None:
    rows: list[dict[str, Any]] = [
        {"instruction": "..i want tea.", "instruction_attributes": ["green"], "instruction_options": ["20 bags"]},
        {"instruction": "tea", "instruction_attributes": [], "instruction_options": []},
    ]
    assert parse_human_requests(rows) == (Request("i want tea", ("green",), ("20 bags",)),)
    assert parse_human_requests(None) == ()


@pytest.mark.parametrize("row", [{"instruction": "Find"}, {"instruction": "Find", "instruction_attributes": []}])
def test_damage_is_told(row: dict[str, Any]) -> None:
    with pytest.raises(RestepError, match="instruction") as failure:
        parse_request(row)
    assert failure.value.code == "data_corrupt"
    with pytest.raises(RestepError, match="human instruction"):
        parse_human_requests([{"instruction_attributes": ["green"]}])
