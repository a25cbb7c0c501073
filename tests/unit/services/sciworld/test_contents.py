"""Finding things in the object tree."""

from __future__ import annotations

import json
from typing import Any

from services.sciworld.contents import Contents, Place


def _node(name: str, *inside: dict[str, Any], is_open: bool | None = None) -> dict[str, Any]:
    box = None if is_open is None else {"isContainer": "true", "isOpen": is_open, "isClosable": True}
    return {"name": name, "propContainer": box, "contents": {f"{child['name']}-{i}": child for i, child in enumerate(inside)}}


TREE = json.dumps(
    _node(
        "universe",
        _node("kitchen", _node("cupboard", _node("drawer", _node("spoon"), is_open=False), _node("cup"), is_open=False)),
        _node("workshop", _node("cup"), _node("agent", _node("inventory", _node("metal pot")))),
    )
)


def test_what_is_carried_is_where_the_agent_is() -> None:
    found = Contents.read(TREE).find("metal pot in inventory", near="kitchen")
    assert found == Place("metal pot", "workshop", (), carried=True)


def test_the_near_one_comes_first() -> None:
    contents = Contents.read(TREE)
    assert contents.find("cup", near="workshop") == Place("cup", "workshop", (), carried=False)
    assert contents.find("cup", near="kitchen") == Place("cup", "kitchen", ("cupboard",), carried=False)


def test_closed_containers_are_told_from_outside_in() -> None:
    found = Contents.read(TREE).find("spoon", near="hallway")
    assert found is not None
    assert found.closed == ("cupboard", "drawer")


def test_what_is_nowhere_is_not_found() -> None:
    assert Contents.read(TREE).find("apple seed", near="kitchen") is None
