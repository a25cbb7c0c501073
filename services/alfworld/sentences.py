"""The sentences of thoughts: what is wanted of a thing and a place, named as the observations name them.

One wording for the experts and for whoever tells of play in a house; repetitive on purpose, so that names are what
there is to learn.
"""

from __future__ import annotations


def search(kind: str, place: str, *, closed: bool, another: bool = False) -> str:
    """On looking for a thing of a kind, at a place or inside it; ``another`` where one was found before."""
    article = "another" if another else "an" if kind[0] in "aeiou" else "a"
    if closed:
        return f"The {place} is closed; there may be {article} {kind} in it."
    return f"I still have to find {article} {kind}; I will look at the {place}."


def fetch(thing: str, place: str, *, closed: bool) -> str:
    """On the way to a thing whose place is known."""
    if closed:
        return f"The {place} is closed, and I need it open to take the {thing}."
    return f"I need the {thing}, which is at the {place}."


def bring(thing: str, place: str, *, closed: bool) -> str:
    """On the way with a thing to where it is to be."""
    if closed:
        return f"The {place} is closed, and I need it open to put away the {thing}."
    return f"I will put the {thing} in or on the {place}."


def approach(verb: str, thing: str, place: str) -> str:
    """On the way to where something can be done to a thing: ``verb`` is clean, heat or cool."""
    return f"I have to {verb} the {thing} with the {place}."


def approach_lamp(lamp: str, place: str) -> str:
    """On the way to something that is to be turned on."""
    return f"I have to turn on the {lamp}, which is at the {place}."


def take(thing: str) -> str:
    """On taking a thing."""
    return f"The {thing} is here and I need it."


def put(thing: str) -> str:
    """On putting a thing down where it is to be."""
    return f"I put the {thing} down here."


def turn_on(lamp: str) -> str:
    """On turning something on."""
    return f"The {lamp} has to be turned on."


def make(verb: str, thing: str) -> str:
    """On cleaning, heating or cooling a thing."""
    return f"The task needs the {thing} after I {verb} it here."
