"""Pages: their two renderings, and what can be clicked, where the original's are surprising."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.webshop.pages import (
    Kind,
    Node,
    clickables,
    done_page,
    header,
    item_address,
    item_page,
    plain,
    receipt,
    receipt_form,
    rich,
    section_page,
)
from services.webshop.product import Product
from services.webshop.state import Place, State

ODD = Product(
    asin="B000000001",
    category="garden",
    query="lamps",
    product_category="",
    name=" Lamp <b> ",
    description="",
    bullets=("", "\n", "Bright ", "\u00a0"),
    pricing=(5.0,),
    price_text="$5.0",
    options={"": ("red", 'a "b"'), "size": ("buy now", "red", "", "search")},
    attributes=("warm",),
)


def test_texts_that_html_would_swallow() -> None:
    assert plain(section_page(ODD, "Features")) == "< Prev [SEP]  [SEP] Bright [SEP] "
    assert plain(section_page(ODD, "Description")) == "< Prev"
    assert plain(section_page(ODD, "Reviews")) == "< Prev"
    assert plain(section_page(ODD, "Attributes")) == "< Prev [SEP] warm [SEP] garden [SEP] lamps"
    assert plain(item_page(ODD)).split(" [SEP] ")[:7] == ["< Prev", "red", 'a "b"', "size", "buy now", "red", "search"]
    assert " Lamp <b> " in [node.text for node in item_page(ODD)]


def test_of_two_with_one_name_the_first_place_and_the_last_target_count() -> None:
    found = clickables((*header("buy"), *item_page(ODD)))
    assert list(found.items()) == [
        ("back to search", None),
        ("< prev", None),
        ("description", None),
        ("features", None),
        ("reviews", None),
        ("buy now", "size"),
        ("red", "size"),
        ('a "b"', ""),
    ]


def test_what_was_clicked_is_marked_unless_quotes_hide_it() -> None:
    state = State(Place.ITEM, "lamps", 1, 0, options=(("", 'a "b"'), ("size", "red")))
    lines = rich((*header(" buy "), *item_page(ODD)), state, item_address(ODD, state)).split("\n")
    assert lines[:6] == [
        "You have clicked red.",
        "You have clicked red.",
        "Instruction:",
        " buy ",
        "[button] Back to Search [button_]",
        "[button] < Prev [button_]",
    ]
    assert lines.count("  [clicked button] red [clicked button_]") == 2
    assert '  [button] a "b" [button_]' in lines
    assert " Lamp <b> " in lines


def test_keywords_in_quotes_look_like_a_click() -> None:
    state = State(Place.ITEM, 'a "red" lamp', 1, 0)
    assert item_address(ODD, state) == 'B000000001/a+"red"+lamp/1/{}'
    assert "[clicked button] red" in rich(item_page(ODD), state, item_address(ODD, state))


def test_products_seen_are_marked() -> None:
    nodes = [Node("B000000001", Kind.PRODUCT, 4), Node("B000000002", Kind.PRODUCT, 5)]
    shown = rich(nodes, State(Place.RESULTS, seen=frozenset({5})), "")
    assert shown == "\n[button] B000000001 [button_]\n\n[clicked button] B000000002 [clicked button_]\n"


@pytest.mark.parametrize(("value", "shown"), [("a<b>&'", '"a\\u003cb\\u003e\\u0026\\u0027"'), ("é", '"\\u00e9"')])
def test_the_receipt_writes_options_as_html_safe_json(value: str, shown: str) -> None:
    bought = replace(ODD, asin="B1"), [("size", value), ("color", "red")], 0.5
    written = f'{{"color": "red", "size": {shown}}}'
    assert receipt(receipt_form(False), *bought) == plain(done_page("B1", written, "0.5"))
    assert receipt(receipt_form(True), *bought) == rich(done_page("B1", written, "0.5"), State(), "")
