"""The sentences of thoughts, in the words of the goal and of the page.

One wording for the expert and for whoever tells of shopping; repetitive on purpose, so that names are what there is to
learn.
"""

from __future__ import annotations

from typing import Final

FITS: Final = "fits the goal"
NEAREST: Final = "comes nearest to the goal"
READ: Final = "I have read enough here, so I go back to the product."
AGAIN: Final = "Nothing in these results fits the goal, so I search with its words."
UNFIT: Final = "This does not fit the goal, so I go back."


def search(wanted: str) -> str:
    """On the first search, for something called ``wanted``."""
    return f"I need {wanted}, so I search with the words of the goal."


def turn_page(page: int) -> str:
    """On leaving a page of results, by its number, on which nothing fits."""
    return f"Nothing on page {page} {FITS}, so I look at the next page."


def open_product(number: str, fits: str) -> str:
    """On opening a product by its number: what is clicked on, and much shorter than its title."""
    return f"{number} {fits}, so I open it."


def choose(wanted: str, value: str) -> str:
    """On choosing the value of an option; ``wanted`` as the goal states it, such as ``color: navy``."""
    return f"The goal asks for {wanted}, so I choose {value}."


def buy(*, chosen: bool) -> str:
    """On buying what fits; ``chosen`` where options were."""
    return f"This {FITS}{' and the options are chosen' if chosen else ''}, so I buy it."
