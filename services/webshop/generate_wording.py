"""The words of a generated product: title, description, bullets, and what is asked for.

An instruction has the benchmark's form, "Find me ... with ... for ..."; options and price are added where goals are made.
Titles and descriptions say most of what is so; the rest stands in the bullets, so that looking at them can pay.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.webshop.generate_draft import Draft

_SECOND_LOOK: Final = 0.5
_DESCRIPTIONS: Final = (
    "{noun} of {material}, {look}, with {feature}, for {use}.",
    "This {material} {noun} comes with {feature}, is {look} and good for {use}.",
    "Made for {use}: {look}, with {feature}.",
    "A favourite for {use}, {look} and with {feature}.",
)
_FILLERS: Final = (
    "Comes in a gift box",
    "Two years of warranty",
    "Free returns for 30 days",
    "Packed without plastic",
    "Designed in a family workshop",
)
_HUMAN: Final = (
    "i am looking for {look} {query} with {feature}{options}.",
    "please find me {query} for {use}{options}.",
    "can you show me {look} {query} for {use}{options}",
    "i need {query} with {feature} for {use}{options}.",
    "for {use} i would like {query} with {feature}{options}.",
    "where do i get {query}, {look}, with {feature}{options}",
    "it is time for new {query}. i want something {look}{options}.",
    "my sister asked for {look} {query}{options}, good for {use}.",
)
_CHOICES: Final = (", in {}", ", {} please", ", best would be {}", ", and i prefer {}")
_ROLE: Final = re.compile(r"{(look|feature|use)}")


@dataclass(frozen=True, slots=True)
class Title:
    """A product's name and those of its words that are nouns, in lower case."""

    text: str
    nouns: tuple[str, ...]


def titled(draft: Draft) -> Title:
    """Brand, one of the looks, and what it is: at most six words."""
    nouns = f"{draft.brand} {draft.noun}".lower().replace("'s", "")
    return Title(f"{draft.brand} {draft.looks[0].title()} {draft.noun}", tuple(re.findall(r"[a-z]+", nouns)))


def described(draft: Draft, dice: random.Random) -> str:
    """One sentence with three attributes."""
    text = dice.choice(_DESCRIPTIONS).format(
        noun=draft.noun.lower(),
        material=draft.material.lower(),
        look=draft.looks[-1],
        feature=draft.features[0],
        use=draft.uses[-1],
    )
    return text[0].upper() + text[1:]


def bulleted(draft: Draft, said: str, dice: random.Random) -> list[str]:
    """Two to five bullets: every attribute that ``said`` does not have, then some that it has, then small talk."""
    heard = said.lower()
    lines = {attribute: attribute.capitalize() for attribute in draft.looks + draft.features}
    lines |= {use: f"For {use}" for use in draft.uses}
    fresh = [line for attribute, line in lines.items() if attribute not in heard]
    known = [line for attribute, line in lines.items() if attribute in heard]
    dice.shuffle(fresh)
    return [*fresh, *dice.sample(known, 1), *dice.sample(_FILLERS, 1)][: max(2, len(fresh))]


def instruction(draft: Draft, dice: random.Random) -> tuple[str, list[str]]:
    """What is asked for without options and price, and its attributes: two to four, a look and a feature among them."""
    looks = dice.sample(draft.looks, min(1 + (dice.random() < _SECOND_LOOK), len(draft.looks)))
    features = list(draft.features[:1])
    uses = list(draft.uses[: dice.randint(0, 1)])
    text = f"Find me {', '.join(looks)} {draft.kind.query} with {features[0]}"
    if uses:
        text += f" for {', '.join(uses)}"
    return text, looks + features + uses


def human_instruction(draft: Draft, dice: random.Random) -> tuple[str, list[str], dict[str, str]]:
    """The same as a person might put it: text, attributes, and the options named in it."""
    template = dice.choice(_HUMAN)
    values = {
        "look": dice.choice(draft.looks),
        "feature": dice.choice(draft.features),
        "use": dice.choice(draft.uses),
    }
    options = _asked_options(draft.options, dice)
    named = " and ".join(f"{name.lower()} {value}" for name, value in options.items())
    text = template.format(**values, query=draft.kind.query, options=dice.choice(_CHOICES).format(named) if named else "")
    return text, [values[role] for role in _ROLE.findall(template)], options


def _asked_options(options: Mapping[str, Sequence[str]], dice: random.Random) -> dict[str, str]:
    chosen = sorted(dice.sample(sorted(options), dice.randint(min(1, len(options)), len(options))))
    return {name: dice.choice(options[name]) for name in chosen}
