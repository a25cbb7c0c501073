"""Text to pre-train on: real play of the simulator told as ReAct dialogues, and sequences that exercise copying.

A small model learns the format in minutes and to copy names out of its context late (that is what the tasks consist
of), so most of the text states a goal made in hindsight from what was really done: every name in goal, thought and
action stands elsewhere in the same context. Plays are stored without words; wording is drawn here, so one play
serves under several goals. Thoughts come from the same policy that words the expert's.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.react import ACTION, THOUGHT, first_message, system_prompt, turn_text

Role = Literal["system", "user", "assistant"]
Kind = Literal["errand", "wander", "expert"]
Think = Callable[[Sequence[str]], str]

_FAILED: Final = re.compile(
    r"No known action|Ambiguous|not sure|can't|cannot|[Uu]nable|already|not |doesn't|must|It's not clear|nothing happens",
    re.IGNORECASE,
)
_ITEM: Final = re.compile(r"^(?:a substance called |substance called |an |a |the |A door to the |A )", re.IGNORECASE)
_END: Final = re.compile(r"[.,(:]|its terminal| in the | with a | which | containing | that ")
_HOLDS: Final = re.compile(r"(?:[OI]n the [\w ]+ is: |\(containing )(.*)")
_NO_NAME: Final = frozenset({"", "agent", "air", "nothing", "ground"})


@dataclass(frozen=True, slots=True)
class Message:
    """One ChatML message."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class PlayStep:
    """One executed action, and what an errand meant by it: ``("pick", "red wire")``, or None outside errands."""

    action: str
    observation: str
    purpose: tuple[str, ...] | None = None

    @property
    def failed(self) -> bool:
        """Whether the reply reads like a refusal."""
        return _FAILED.search(self.observation) is not None


@dataclass(frozen=True, slots=True)
class Play:
    """One episode played in the simulator, without goal wording or thoughts."""

    kind: Kind
    task: str
    variation: int
    simplification: str
    goal: str
    look: str
    steps: tuple[PlayStep, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Play:
        """Read a stored play."""
        steps = tuple(PlayStep(s["action"], s["obs"], tuple(s["sub"]) if s.get("sub") else None) for s in row["steps"])
        return cls(
            "expert" if row["kind"] == "gold" else row["kind"],
            row["task"],
            row["variation"],
            row["simp"],
            row["goal"],
            row["look"],
            steps,
        )

    def to_row(self) -> dict[str, Any]:
        """The opposite of :meth:`from_row`."""
        steps = [{"action": s.action, "obs": s.observation, "sub": s.purpose} for s in self.steps]
        return {
            "kind": self.kind,
            "task": self.task,
            "variation": self.variation,
            "simp": self.simplification,
            "goal": self.goal,
            "look": self.look,
            "steps": steps,
        }


# --- reading observations ------------------------------------------------------------------------------------


def item_name(text: str) -> str:
    """The bare name at the start of a listed item: ``a sink, which is off`` is ``sink``."""
    return _END.split(_ITEM.sub("", text.strip()))[0].strip(" )\n")


def listed_names(observation: str) -> list[str]:
    """Names of the things a look lists, holders and what they hold, in order; doors and fillers left out."""
    found: list[str] = []
    for line in observation.split("\n"):
        if not line.startswith("\t") or line.startswith("\tA door"):
            continue
        found.append(item_name(line))
        if held := _HOLDS.search(line):
            parts = re.split(r"[,(]", held.group(1).replace("containing", ","))
            found += [item_name(part) for part in parts if "door" not in part]
    return [name for name in dict.fromkeys(found) if name not in _NO_NAME and re.fullmatch(r"[a-z0-9 ()-]+", name)]


# --- dialogues ------------------------------------------------------------------------------------------------


def dialogue(instruction: str, goal: str, look: str, turns: Iterable[tuple[str, str, str]]) -> list[Message]:
    """An episode laid out exactly as at inference; ``turns`` are (thought, action, observation)."""
    messages = [Message("system", system_prompt(instruction)), Message("user", first_message(goal, look))]
    for thought, action, observation in turns:
        messages += [Message("assistant", turn_text(thought, action)), Message("user", observation)]
    return messages


def _clauses(steps: Sequence[PlayStep]) -> list[str]:
    """What an errand achieved, as clauses of a task statement."""
    clauses: list[str] = []
    where, carried = "", ""
    for step in steps:
        if step.purpose is None or step.failed:
            continue
        what, *names = step.purpose
        if what in {"look", "teleport"}:
            where = names[0]
        if what == "look":
            clauses.append(f"go to the {where}")
        elif what == "pick":
            carried = names[0]
            clauses.append(f"pick up the {carried}")
        elif what == "move":
            thing = "it" if names[0] == carried and clauses and clauses[-1] != "" else f"the {names[0]}"
            if clauses and clauses[-1] == f"go to the {where}":
                clauses.pop()
            clauses.append(f"move {thing} to the {names[1]}" + (f" in the {where}" if where else ""))
        elif what == "two":
            verb, pairing = names[0].replace("{}", "").split()
            clauses.append(f"{verb} the {names[1]} {pairing} the {names[2]}")
        elif what in {"focus", "lookat", "lookin", "openc", "drop", "verb"}:
            verb = {"focus": "focus on", "lookat": "look at", "lookin": "look in", "openc": "open", "drop": "put down"}
            clauses.append(f"{verb.get(what, names[0])} the {names[-1]}")
    return list(dict.fromkeys(clauses))


def errand_goal(play: Play, rng: random.Random) -> str | None:
    """A task statement that this play fulfils, made from what succeeded in it; None when nothing did."""
    clauses = _clauses(play.steps)
    if not clauses:
        return None
    picks = [clause.removeprefix("pick up the ") for clause in clauses if clause.startswith("pick up the ")]
    ends = [clause for clause in clauses if clause.startswith("move it to the ")]
    if len(picks) == 1 and len(ends) == 1 and rng.random() < 0.6:
        thing = rng.choice((f"a(n) {picks[0]}", f"the {picks[0]}", "something"))
        focus = "First, focus on the thing. Then, " if f"focus on the {picks[0]}" in clauses else "Then, "
        return f"Your task is to find {thing}. {focus}{ends[0]}."
    if len(clauses) == 1:
        return f"Your task is to {clauses[0]}."
    style = rng.randrange(3)
    if style == 0:
        return f"Your task is to {', '.join(clauses[:-1])} and {clauses[-1]}."
    if style == 1:
        return f"Your task is to {clauses[0]}. " + " ".join(f"Then, {clause}." for clause in clauses[1:])
    return f"First, {clauses[0]}. " + " ".join(f"Then, {clause}." for clause in clauses[1:])


def wander_goal(play: Play, rng: random.Random) -> str:
    """A statement that lists what is then done: dense copying of whole actions."""
    actions = [step.action for step in play.steps if step.purpose == ("valid",) and not step.failed] or [play.steps[0].action]
    if rng.random() < 0.5:
        return "Your task is to do this: " + ", ".join(actions) + "."
    return "Your task is to " + ", then ".join(actions) + "."


_AGAIN: Final = ("That did not work.", "That was a mistake.", "Nothing came of that.", "This is not possible here.")


def tell(play: Play, instruction: str, think: Think, rng: random.Random) -> list[Message] | None:
    """A play as a dialogue; None when there is nothing to tell. Steps onto doors already open are left out."""
    steps = [step for step in play.steps if step.observation != "The door is already open."]
    goal = play.goal
    if play.kind != "expert":
        told = errand_goal(play, rng) if play.kind == "errand" else wander_goal(play, rng)
        if told is None:
            return None
        goal = told
    if not steps:
        return None
    actions = [step.action for step in steps]
    turns: list[tuple[str, str, str]] = []
    for position, step in enumerate(steps):
        thought = think(actions[position:])
        if position and steps[position - 1].failed and rng.random() < 0.7:
            instead = f" I should {step.action} instead." if rng.random() < 0.4 else ""
            thought = f"{rng.choice(_AGAIN)}{instead} {thought}"
        turns.append((thought, step.action, step.observation))
    return dialogue(instruction, goal, play.look, turns)


# --- sequences that exercise copying --------------------------------------------------------------------------


def _listed(names: Sequence[str]) -> str:
    return "\n".join(f"\ta {name}" for name in names)


def copying(names: Sequence[str], places: Sequence[str], think: Think, rng: random.Random) -> list[Message]:
    """A short exercise over real names: repeat, look up, find in a list, choose the door, do what the goal says."""
    some = rng.sample(list(names), rng.randint(3, 12))
    kind = rng.randrange(6)
    if kind == 0:
        line = "Here you see: " + ", ".join(some)
        return [Message("user", line), Message("assistant", line), Message("user", line)]
    if kind == 1:
        homes = {name: rng.choice(list(places)) for name in some}
        asked = rng.sample(some, min(4, len(some)))
        facts = " ".join(f"The {name} is in the {place}." for name, place in homes.items())
        messages = [Message("user", facts)]
        for name in asked:
            messages += [Message("user", f"Where is the {name}?"), Message("assistant", f"The {name} is in the {homes[name]}.")]
        return messages
    if kind == 2:
        rows = [rng.choice(some) for _ in range(rng.randint(4, 10))]
        return [Message("user", " " + " ".join(rows + rows + rows))]
    if kind == 3:
        doors = rng.sample(list(places), rng.randint(2, min(5, len(places))))
        goal = rng.choice(doors)
        seen = "\n".join(f"\tA door to the {place} (that is open)" for place in doors)
        action = f"go to {goal}"
        return [
            Message("user", first_message(f"Your task is to go to the {goal}.", f"You also see:\n{seen}")),
            Message("assistant", turn_text(think([action]), action)),
            Message("user", f"You move to the {goal}."),
        ]
    one, two = rng.sample(some, 2)
    plans = (
        [f"pick up {one}", f"move {one} to {two}"],
        [f"focus on {one}"],
        [f"look at {one}", f"look at {two}"],
        [f"focus on {one}", f"pick up {one}", f"move {one} to {two}"],
        [f"open {one}", f"look in {one}"],
    )
    plan = list(rng.choice(plans))
    goal = ", then ".join(
        re.sub(r"^(pick up|focus on|look at|look in|move|open) ", r"\1 the ", a).replace(" to ", " to the ") for a in plan
    )
    messages = [Message("user", first_message(f"Your task is to {goal}.", f"Here you see: \n{_listed(some)}"))]
    for position, action in enumerate(plan):
        messages += [Message("assistant", turn_text(think(plan[position:]), action)), Message("user", "Done.")]
    return messages


_DOOR: Final = re.compile(r"A door to the (.+?) \(that is (open|closed)\)")
_REPLY: Final = {
    "pick up": "You move the {0} to the inventory.",
    "move": "You move the {0} to the {1}.",
    "focus on": "You focus on the {0}.",
    "go to": "You move to the {0}.",
    "open door to": "The door is now open.",
    "open": "The {0} is now open.",
}


def _way(look: str, rng: random.Random) -> list[tuple[str, tuple[str, ...]]]:
    doors = _DOOR.findall(look)
    if not doors:
        return []
    place, state = rng.choice(doors)
    return [("open door to", (place,)), ("go to", (place,))] if state == "closed" else [("go to", (place,))]


def doing(look: str, instruction: str, think: Think, rng: random.Random) -> list[Message] | None:
    """A short exercise in a room that was really seen: a goal over things in it, and what does it, step by step.

    The replies are written here in the simulator's words, not played: what is practised is to find the goal's names
    again in thought and action.
    """
    things = listed_names(look)
    if len(things) < 2:
        return None
    one, two = rng.sample(things, 2)
    focus, pick, move = ("focus on", (one,)), ("pick up", (one,)), ("move", (one, two))
    way = _way(look, rng)
    plans: list[list[tuple[str, tuple[str, ...]]]]
    plans = [
        [pick],
        [focus],
        way or [pick],
        [pick, move],
        [focus, pick, move],
        [pick, *way],
        [("open", (one,))],
        [focus, ("focus on", (two,))],
    ]
    plan = rng.choice(plans)
    clauses = [
        f"{verb} the {names[0]}" + (f" to the {names[1]}" if verb == "move" else "")
        for verb, names in plan
        if verb != "open door to"
    ]
    goal = f"Your task is to {', then '.join(clauses)}."
    if plan[0] == pick and rng.random() < 0.5 and len(plan) > 1 and plan[1] == move:
        goal = f"Your task is to find the {one}. Then, move it to the {two}."
    elif plan == [focus, pick, move] and rng.random() < 0.7:
        goal = f"Your task is to find a(n) {one}. First, focus on the thing. Then, move it to the {two}."
    actions = [f"{verb} {names[0]}" + (f" to {names[1]}" if verb == "move" else "") for verb, names in plan]
    replies = [_REPLY[verb].format(*names) for verb, names in plan]
    turns = [
        (think(actions[position:]), action, reply)
        for position, (action, reply) in enumerate(zip(actions, replies, strict=True))
    ]
    return dialogue(instruction, goal, look, turns)


__all__ = ["ACTION", "THOUGHT", "Message", "Play", "PlayStep", "copying", "dialogue", "listed_names", "tell"]
