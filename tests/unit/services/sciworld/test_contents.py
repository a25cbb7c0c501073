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
        _node(
            "workshop",
            _node("cup"),
            _node("wood cup", _node("red paint")),
            _node("cherry tree"),
            _node("agent", _node("inventory", _node("metal pot"))),
        ),
    )
)


def test_what_is_carried_is_where_the_agent_is() -> None:
    found = Contents.read(TREE).find("metal pot in inventory", near="kitchen")
    assert found == Place("metal pot", "workshop", ("agent", "inventory"), (), carried=True)


def test_the_near_one_comes_first() -> None:
    contents = Contents.read(TREE)
    assert contents.find("cup", near="workshop") == Place("cup", "workshop", (), (), carried=False)
    assert contents.find("cup", near="kitchen") == Place("cup", "kitchen", ("cupboard",), ("cupboard",), carried=False)


def test_closed_containers_are_told_from_outside_in() -> None:
    found = Contents.read(TREE).find("spoon", near="hallway")
    assert found is not None
    assert found.closed == ("cupboard", "drawer")


def test_what_is_nowhere_is_not_found() -> None:
    assert Contents.read(TREE).find("apple seed", near="kitchen") is None


def test_a_thing_is_known_by_what_it_holds_and_at_any_age() -> None:
    contents = Contents.read(TREE)
    holder, tree = contents.find("cup containing red paint", near="hallway"), contents.find("adult cherry tree", near="hallway")
    assert holder is not None
    assert holder.name == "wood cup"
    assert tree is not None
    assert tree.name == "cherry tree"
