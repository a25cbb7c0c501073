"""Rows of the official catalogue become products as the benchmark cleans them."""

from __future__ import annotations

from typing import Any

import pytest

from services.webshop.product import NO_ATTRIBUTES, parse_product
from shared.errors import RestepError

ROW: dict[str, Any] = {
    "asin": "B000000001",
    "category": "garden",
    "query": " Desk Lamps ",
    "product_category": "Home \u203a Lamps",
    "name": "Lamp",
    "full_description": "Bright.",
    "small_description": ["First", "Second"],
    "pricing": "$1,299.50",
    "customization_options": {"Size": [{"value": " 2/3 FT ", "image": None}, {"value": "L"}, {"value": "L"}], "None": None},
}


def test_a_row_is_cleaned() -> None:
    product = parse_product(ROW, ["bright"])
    assert product is not None
    assert (product.query, product.attributes) == ("desk lamps", ("bright",))
    assert product.options == {"size": ("2 | 3 ft", "l", "l")}
    assert product.text == "lamp bright. first size: 2 | 3 ft, l, l"


@pytest.mark.parametrize(
    ("written", "pricing", "text"),
    [
        ("", (100.0,), "$100.0"),
        (None, (100.0,), "$100.0"),
        ("$9.99", (9.99,), "$9.99"),
        ("$1,299.50", (1299.5,), "$1299.5"),
        ("$5.00 - $7.00", (5.0, 7.0), "$5.0 to $7.0"),
        ("$5 $7 $9", (5.0, 7.0), "$5.0 to $7.0"),
    ],
)
def test_prices_are_numbers_and_texts(written: str | None, pricing: tuple[float, ...], text: str) -> None:
    product = parse_product({**ROW, "pricing": written}, None)
    assert product is not None
    assert (product.pricing, product.price_text) == (pricing, text)


def test_what_the_instructions_do_not_know_has_the_benchmarks_attribute() -> None:
    product = parse_product({**ROW, "small_description": "Only", "customization_options": ""}, None)
    assert product is not None
    assert (product.attributes, product.bullets, product.options) == (NO_ATTRIBUTES, ("Only",), {})


@pytest.mark.parametrize("asin", ["nan", "B0000000012"])
def test_rows_with_such_an_asin_are_left_out(asin: str) -> None:
    assert parse_product({**ROW, "asin": asin}, None) is None


@pytest.mark.parametrize("change", [{"name": ...}, {"pricing": "9.99"}, {"pricing": "$x"}, {"query": None}, {"asin": 7}])
def test_a_damaged_row_is_told(change: dict[str, Any]) -> None:
    row = {name: value for name, value in (ROW | change).items() if value is not ...}
    with pytest.raises(RestepError, match="product ") as failure:
        parse_product(row, None)
    assert failure.value.code == "data_corrupt"
