"""The fixed wording of WebShop's pages and thoughts, as single tokens of the vocabulary.

It is listed, not learned: by frequency alone a value that is often chosen would become part of a phrase, and what is part
of a phrase cannot be copied from where it stands by itself. A phrase before something that is copied ends in its blank, so
that the same word has the same tokens on a page, in a goal, in a thought and in an action. None is so common that it
would take the blank of names in other texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.webshop import pages, sentences
from services.webshop.actions import SEARCH, click
from services.webshop.pages import SEPARATOR
from trainer.worlds.webshop_words import OPTIONS

_SLOT: Final = "\0"
_HEADER: Final = pages.plain(pages.header(_SLOT)) + SEPARATOR
_ITEM_END: Final = SEPARATOR.join(("", "Rating: N.A.", *pages.LINKED_SECTIONS, pages.BUY))
_PAGES: Final = (
    SEPARATOR,
    pages.plain(pages.start_page(_SLOT)),
    _HEADER,
    f"{_HEADER}{pages.PREVIOUS}{SEPARATOR}",
    f"{_HEADER}Page ",
    " (Total results: ",
    f"){SEPARATOR}{pages.NEXT}{SEPARATOR}",
    f"){SEPARATOR}{pages.PREVIOUS}{SEPARATOR}{pages.NEXT}{SEPARATOR}",
    f"{SEPARATOR}$",
    f"{SEPARATOR}Price: $",
    _ITEM_END,
    *(pages.receipt_form(rich_text=False)),
)
_THOUGHTS: Final = (
    sentences.search(_SLOT),
    sentences.AGAIN,
    sentences.open_product(_SLOT, sentences.FITS),
    sentences.open_product(_SLOT, sentences.NEAREST),
    sentences.choose(_SLOT, _SLOT),
    sentences.buy(chosen=True),
    sentences.buy(chosen=False),
    sentences.READ,
    sentences.UNFIT,
)
_ACTIONS: Final = (
    "\nAction:",
    f" {SEARCH}[",
    " " + click(_SLOT).partition(_SLOT)[0],
    *(" " + click(label) for label in (pages.BACK, pages.PREVIOUS, pages.NEXT, *pages.LINKED_SECTIONS, pages.BUY)),
)
_GOALS: Final = ("Find me ", ", and price lower than ", " dollars")
_OPTIONS: Final = (
    "{}: ",
    " with {}: ",
    ", and {}: ",
    f"{SEPARATOR}{{}}{SEPARATOR}",
    f"{_HEADER}{pages.PREVIOUS}{SEPARATOR}{{}}{SEPARATOR}",
)


def phrases() -> Sequence[str]:
    """All of them; what differs between two pages or thoughts is cut out."""
    texts = (*_PAGES, *(f"Thought: {thought}" for thought in _THOUGHTS), "Thought: ", *_ACTIONS, *_GOALS)
    options = (form.format(name.lower()) for name in OPTIONS for form in _OPTIONS)
    return list(dict.fromkeys(part for text in (*texts, *options) for part in text.split(_SLOT) if len(part) > 1))
