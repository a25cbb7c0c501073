"""How play in WebShop is told: the wish in the benchmark's words or a person's, and thoughts in its expert's manner."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from services.webshop import sentences
from services.webshop.actions import parse_action
from trainer.play import PlayStep
from trainer.worlds.webshop_wish import Wish

MISTAKES: Final = ("mistake", "stray", "lost")
_PERSONS: Final = (
    "i am hoping to find {core}{options}{limit}",
    "would you help me get {core}{options}{limit}",
    "i want to buy {core}{options}{limit}",
    "my friend needs {core}{options}{limit}",
    "we are out of it at home: {core}{options}{limit}",
    "looking for {core}{options}{limit}. thank you",
    "i would be glad about {core}{options}{limit}",
    "as a present, {core}{options}{limit}",
)
_CHOICES: Final = (" in {}", ", {} please", ", and i want {}", " that comes in {}")
_LIMITS: Final = (" for less than {:.2f} dollars", ", and price lower than {:.2f} dollars", ", under {:.2f} dollars")


def thought(step: PlayStep) -> str:
    """What a step is for, by its purpose; for one without, what it does."""
    what, *names = step.purpose or ("valid",)
    match what, names:
        case "search", [kind, *_]:
            return sentences.search(kind)
        case "again", _:
            return sentences.AGAIN
        case "next", [page]:
            return sentences.turn_page(int(page))
        case "open", [number, *_]:
            return sentences.open_product(number, sentences.FITS)
        case "glance", [number, *_]:
            return sentences.open_product(number, "may fit the goal")
        case "back", _:
            return sentences.UNFIT
        case "read", [section]:
            return f"I want to know more, so I read the {section.lower()}."
        case "return", _:
            return sentences.READ
        case "choose", [name, value]:
            return sentences.choose(f"{name}: {value}", value)
        case "mistake", [_, value]:
            return f"I try {value}."
        case "buy", _:
            return sentences.buy(chosen=bool(names))
        case _:
            return f"I have to {step.action}."


def wish_of(steps: Sequence[PlayStep]) -> Wish | None:
    """What an errand was for; None for what was none."""
    stored = next((step.purpose[2] for step in steps if step.purpose and step.purpose[0] == "search"), None)
    return None if stored is None else Wish.from_text(stored)


def errand_goal(steps: Sequence[PlayStep], rng: random.Random) -> str | None:
    """An instruction that these steps fulfil; None where nothing was wished for."""
    wish = wish_of(steps)
    if wish is None:
        return None
    query = parse_action(steps[0].action)[1]
    done = {step.purpose[0] for step in steps if step.purpose}
    bought = "buy" in done
    if bought and rng.random() < 0.9:
        return asked(wish, rng, person=query != wish.stated)
    clauses = [f"search for {query}", *([f"open {wish.title}"] if "open" in done else [])]
    clauses += [f"choose {name}: {value}" for name, value in wish.options]
    return f"Your task is to {', '.join([*clauses, 'buy it'] if bought else clauses)}."


def asked(wish: Wish, rng: random.Random, *, person: bool = True) -> str:
    """The wish as the benchmark asks, or, where ``person``, as a person might."""
    if not person or rng.random() < 0.5:
        limit = "" if wish.limit is None else f", and price lower than {wish.limit:.2f} dollars"
        return f"Find me {wish.stated}{limit}"
    limit = "" if wish.limit is None else rng.choice(_LIMITS).format(wish.limit)
    pattern = rng.choice(("{} {}", "{}: {}"))
    options = " and ".join(pattern.format(name, value) for name, value in wish.options)
    chosen = rng.choice(_CHOICES).format(options) if options else ""
    return rng.choice(_PERSONS).format(core=wish.core, options=chosen, limit=limit)
