"""What an agent is told about WebShop: its two actions, and how a purchase is made."""

from __future__ import annotations

from typing import Final

ACTION_GRAMMAR: Final = ("search[KEYWORDS]", "click[NAME]")

INSTRUCTION: Final = (
    "You are shopping on a web site. Buy the product that the instruction asks for, with the options and at the price it "
    "states. KEYWORDS are words to find products by, on any page; NAME is what can be clicked on the page you see: a "
    "button, a product by its number (B0123ABCDE), or the value of an option. Choose each option on the product's page, "
    "then click[Buy Now], which ends the task.\nActions: " + ", ".join(ACTION_GRAMMAR) + "."
)
