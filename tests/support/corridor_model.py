"""A model that knows the corridor: it reads the messages of a teacher's question as a language model would, and is right."""

from __future__ import annotations

import re
from typing import Any

import orjson

from tests.support.model_server import Say


def asked_for(body: dict[str, Any]) -> str:
    """Name of the schema that the answer has to follow: judgement, correction or review."""
    return str(body["response_format"]["json_schema"]["name"])


def question(body: dict[str, Any]) -> str:
    """The situation: the last message that is no complaint about an answer."""
    return next(m["content"] for m in reversed(body["messages"]) if m["content"].startswith("## Task"))


def judge(body: dict[str, Any]) -> tuple[str, str]:
    """Decision and reason."""
    text = question(body)
    before, latest = text.split("## Latest step")
    here, last = _room(before), _goal(text)
    found = re.search(r"Action: (.*)", latest)
    action = found[1] if found else ""
    if action in ("wait", "take lamp" if here != last else "wait"):
        return "needless", "Nothing changes by that."
    if action in (f"go to room {here + 1}", "take lamp"):
        return "useful", "That is the way."
    if action == f"go to room {here - 1}":
        return "harmful", "That is the wrong way."
    return ("fatal", "The lamp is lost.") if action in ("smash lamp", "wedge door") else ("invalid", "There is no such action.")


def correction(body: dict[str, Any]) -> dict[str, str]:
    """Reflection, plan and action, from where the episode is now."""
    text = question(body)
    here, last = _room(text), _goal(text)
    action = "take lamp" if here == last else f"go to room {here + 1}"
    return {"reflection": "That did not help me.", "plan": f"The lamp is in room {last}.", "action": action}


def corridor_model(body: dict[str, Any]) -> Say:
    """The right answer to any question of a teacher."""
    decision, reason = judge(body)
    match asked_for(body):
        case "judgement":
            answer: dict[str, Any] = {"reason": reason, "decision": decision}
        case "review":
            right = decision in ("useful", "exploring")
            answer = {"reason": reason, "decision": decision, "correction": None if right else correction(body)}
        case _:
            answer = correction(body)
    return Say(orjson.dumps(answer).decode())


def _room(text: str) -> int:
    return int(re.findall(r"You are in room (\d+)", text)[-1])


def _goal(text: str) -> int:
    found = re.search(r"Take the lamp from room (\d+)", text)
    assert found is not None
    return int(found[1])
