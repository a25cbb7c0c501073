"""How play in WebShop is told: goals in hindsight and thoughts, in its expert's manner of speaking."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from services.webshop import sentences
from trainer.play import PlayStep

MISTAKE: Final = "mistake"
_MARGINS: Final = (1.2, 1.5, 2.0)


def thought(step: PlayStep) -> str:
    """What a step is for, by its purpose; for one without, what it does."""
    what, *names = step.purpose or ("valid",)
    match what, names:
        case "search", [query]:
            return sentences.search(query)
        case "next", [page]:
            return sentences.turn_page(int(page))
        case "open", [_, title, price]:
            return sentences.open_product(title, price, sentences.FITS)
        case "glance", [_, title, price]:
            return sentences.open_product(title, price, "may fit the goal")
        case "back", _:
            return sentences.UNFIT
        case "read", [section]:
            return f"I want to know more, so I read the {section.lower()}."
        case "return", _:
            return sentences.READ
        case (("choose" | "mistake"), [name, value]):
            return sentences.choose(f"{name}: {value}", value)
        case "buy", _:
            return sentences.buy(chosen=True)
        case _:
            return f"I have to {step.action}."


def errand_goal(steps: Sequence[PlayStep], rng: random.Random) -> str | None:
    """An instruction that these steps fulfil; None where no product was opened."""
    purposes = [step.purpose for step in steps if step.purpose]
    opened = next((names for what, *names in purposes if what == "open"), None)
    if opened is None:
        return None
    query = next(names[0] for what, *names in purposes if what == "search")
    _, title, price = opened
    chosen = [(names[0], names[1]) for what, *names in purposes if what == "choose"]
    bought = any(what == "buy" for what, *_ in purposes)
    if bought and rng.random() < 0.7:
        options = ", and ".join(f"{name}: {value}" for name, value in chosen)
        wanted = title if rng.random() < 0.5 else f"{query}, {title.partition(' ')[2]}"
        return f"Find me {wanted.lower()}" + (f" with {options}" if options else "") + _limit(price, rng)
    clauses = [f"search for {query}", f"open {title}", *(f"choose {value}" for _, value in chosen)]
    return f"Your task is to {', '.join([*clauses, 'buy it'] if bought else clauses)}."


def _limit(price: str, rng: random.Random) -> str:
    """A price limit above the highest price shown, as the benchmark words it; sometimes none."""
    highest = float(price.rpartition("$")[2])
    if rng.random() < 0.2:
        return ""
    return f", and price lower than {10.0 * (highest * rng.choice(_MARGINS) // 10 + 1):.2f} dollars"
