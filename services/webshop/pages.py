"""Pages as rows of nodes, and their two renderings: WebShop's observation modes ``text`` and ``text_rich``.

The original renders templates to HTML and reads the text nodes back (``web_agent_site/envs/web_agent_text_env.py``);
here the nodes are made directly. Some of what that reading does is visible: an empty text leaves no node, one of blanks
leaves a blank.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from services.webshop.product import Product
from services.webshop.state import State

TEXT_MODE: Final = "text"
RICH_MODE: Final = "text_rich"

SEPARATOR: Final = " [SEP] "
SEARCH_BUTTON: Final = "Search"
BACK: Final = "Back to Search"
PREVIOUS: Final = "< Prev"
NEXT: Final = "Next >"
BUY: Final = "Buy Now"
SECTIONS: Final = ("Description", "Features", "Reviews", "Attributes")
LINKED_SECTIONS: Final = SECTIONS[:3]

_BLANKS: Final = " \n\t\f\r"
_BLANK: Final = "?"
_SORTED_JSON: Final = json.JSONEncoder(sort_keys=True).encode
_HTML_SAFE: Final = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&'"}


class Kind(Enum):
    """What a text is on a page."""

    TEXT = "text"
    BUTTON = "button"
    PRODUCT = "product"
    OPTION = "option"


class Node(NamedTuple):
    """A text on a page. ``target`` is the number of a product, or the name of the option that a value belongs to."""

    text: str
    kind: Kind = Kind.TEXT
    target: int | str | None = None


Clickables = dict[str, int | str | None]
"""What can be clicked, in the benchmark's order: the number of a product, the name of an option, None for a button."""


# --- pages -------------------------------------------------------------------------------------------------------


def start_page(instruction: str) -> Iterator[Node]:
    """The page with the search bar."""
    yield from (Node("WebShop"), Node("Instruction: "), *_texts(instruction), Node(SEARCH_BUTTON, Kind.BUTTON))


def header(instruction: str) -> Iterator[Node]:
    """What every page in between begins with."""
    yield from (Node("Instruction:"), *_texts(instruction), Node(BACK, Kind.BUTTON))


def results_head(page: int, total: int) -> Iterator[Node]:
    """What stands above the products of a page of results; ``page`` counts from 1 and may be past the end."""
    yield Node(f"Page {page} (Total results: {total})")
    if page > 1:
        yield Node(PREVIOUS, Kind.BUTTON)
    yield Node(NEXT, Kind.BUTTON)


def card(number: int, product: Product) -> Iterator[Node]:
    """One product on a page of results."""
    yield Node(product.asin, Kind.PRODUCT, number)
    yield from _texts(product.name, product.price_text)


def item_page(product: Product) -> Iterator[Node]:
    """A product with its options."""
    yield Node(PREVIOUS, Kind.BUTTON)
    for name, values in product.options.items():
        yield from _texts(name)
        yield from (Node(value, Kind.OPTION, name) for value in values if value)
    yield from _texts(product.name, f"Price: {product.price_text}", "Rating: N.A.")
    yield from (Node(label, Kind.BUTTON) for label in (*LINKED_SECTIONS, BUY))


def section_page(product: Product, section: str) -> Iterator[Node]:
    """One of :data:`SECTIONS` of a product."""
    yield Node(PREVIOUS, Kind.BUTTON)
    if section == "Description":
        yield from _texts(product.description)
    elif section == "Features":
        yield from _texts(*(f" {bullet}" for bullet in product.bullets))
    elif section == "Attributes":
        attributes = (f" {attribute}" for attribute in product.attributes)
        yield from _texts(*attributes, product.category, product.query, product.product_category)


def done_page(asin: str, options: str, reward: str) -> Iterator[Node]:
    """The page after a purchase; the codes and details that the original's page has room for are None in its text mode."""
    yield from _texts("Thank you for shopping with us!", "Your code: ", "None", " (Paste it in your MTurk interface.)")
    yield from _texts("Purchased", "asin", asin, "options", options, "attrs", "None", "category", "None")
    yield from _texts("query", "None", "product category", "None", "Target", "asin", "options", "attrs", "price upper")
    yield from _texts("instuction text", "category", "product category", "query", "Goal ", "None")
    yield from _texts("Reward", "Your score (min 0.0, max 1.0)", reward, "Reward Details ", "None")


def _texts(*texts: str) -> Iterator[Node]:
    """Texts that leave a node when they are read back from HTML."""
    for text in texts:
        if text.strip(_BLANKS):
            yield Node(text)
        elif text and "\n" not in text:
            yield Node(" ")


# --- what is made of them ----------------------------------------------------------------------------------------


def clickables(nodes: Iterable[Node]) -> Clickables:
    """Buttons and products as they stand, then values of options; of two with one name the place of the first counts.

    What is called "search" is left out: the benchmark ignores a click on it.
    """
    found = list(nodes)
    names: Clickables = {
        node.text.lower(): node.target for node in found if node.kind is Kind.BUTTON or node.kind is Kind.PRODUCT
    }
    names.update((node.text, node.target) for node in found if node.kind is Kind.OPTION)
    names.pop(SEARCH_BUTTON.lower(), None)
    return names


def plain(nodes: Iterable[Node]) -> str:
    """The observation mode ``text``."""
    return SEPARATOR.join(node.text.strip() for node in nodes)


def rich(nodes: Iterable[Node], state: State, address: str) -> str:
    """The observation mode ``text_rich``. What was clicked is found in ``address`` as there, so quotes in a value hide it."""
    lines, clicked = list[str](), list[str]()
    for text, kind, target in nodes:
        if kind is Kind.TEXT:
            lines.append(text)
        elif kind is Kind.BUTTON:
            lines.append(f"[button] {text} [button_]")
        else:
            lead, was = ("\n", target in state.seen) if kind is Kind.PRODUCT else ("  ", f'"{text}"' in address)
            button = "clicked button" if was else "button"
            lines.append(f"{lead}[{button}] {text} [{button}_]")
            if was and kind is Kind.OPTION:
                clicked.insert(0, f"You have clicked {text}.")
    return "".join(f"{line}\n" for line in (*clicked, *lines))


def item_address(product: Product, state: State) -> str:
    """The part of an item page's address that tells its state."""
    return f"{product.asin}/{state.keywords.replace(' ', '+')}/{state.page}/{json.dumps(dict(state.options))}"


def receipt(form: Sequence[str], product: Product, options: Iterable[tuple[str, str]], reward: float) -> str:
    """The page after a purchase, written into what :func:`receipt_form` gave."""
    chosen = _SORTED_JSON(dict(options)).translate(_HTML_SAFE)
    thanks, middle, score, end = form
    return f"{thanks}{product.asin}{middle}{chosen}{score}{reward}{end}"


def receipt_form(rich_text: bool) -> Sequence[str]:
    """The rendered page after a purchase without what differs between purchases."""
    nodes = done_page(_BLANK, _BLANK, _BLANK)
    return (rich(nodes, State(), "") if rich_text else plain(nodes)).split(_BLANK)
