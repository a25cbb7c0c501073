"""The sentences of thoughts: what is wanted of a thing and a place, named as the observations name them.

One wording for the experts and for whoever tells of play in a house. A sentence begins with what is wanted or held:
whether it is here is easier to say for a small student when its name has just been said. Repetitive on purpose, so that
names are what there is to learn.
"""

from __future__ import annotations


def search(kind: str, place: str, *, closed: bool, another: bool = False) -> str:
    """On looking for a thing of a kind, at a place or inside it; ``another`` where one was found before."""
    if closed:
        return f"{_need(kind, another=another)}; the {place} is closed, so I open it to look inside."
    return f"{_need(kind, another=another)} and see none, so I look at the {place}."


def fetch(thing: str, place: str, *, closed: bool) -> str:
    """On the way to a thing whose place is known."""
    need = _need(_kind(thing))
    if closed:
        return f"{need}; the {thing} is in the {place}, which is closed, so I open it."
    return f"{need}; the {thing} is at the {place}, so I go there."


def take(thing: str) -> str:
    """On taking a thing."""
    return f"{_need(_kind(thing))}; the {thing} is here, so I take it."


def bring(thing: str, place: str, *, closed: bool) -> str:
    """On the way with a thing to where it is to be."""
    if closed:
        return f"I have the {thing}; the {place} is closed, so I open it to put it there."
    return f"I have the {thing}; it has to be at the {place}, so I go there."


def put(thing: str, place: str) -> str:
    """On putting a thing down where it is to be."""
    return f"I have the {thing}; it has to be at the {place}, so I put it down here."


def approach(verb: str, thing: str, place: str) -> str:
    """On the way to where something can be done to a thing: ``verb`` is clean, heat or cool."""
    return f"I have the {thing}; I have to {verb} it with the {place}, so I go there."


def make(verb: str, thing: str, place: str) -> str:
    """On cleaning, heating or cooling a thing."""
    return f"I have the {thing}; I have to {verb} it with the {place}, which is here."


def approach_lamp(lamp: str, place: str) -> str:
    """On the way to something that is to be turned on."""
    return f"{_need(_kind(lamp))}; the {lamp} is at the {place}, so I go there."


def turn_on(lamp: str) -> str:
    """On turning something on."""
    return f"{_need(_kind(lamp))}; the {lamp} is here, so I turn it on."


def _need(kind: str, *, another: bool = False) -> str:
    return f"I need {'another' if another else 'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _kind(thing: str) -> str:
    return thing.rpartition(" ")[0] or thing
