"""Games in play: states, replies, both wordings, and games that are damaged or strange."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alfworld.game import Game, open_game
from services.alfworld.library import embedded_library
from services.alfworld.rules import Rulebook, split_task
from services.alfworld.source import GameText
from services.alfworld.tables import Fact, Path, Table, Tables
from shared.errors import RestepError

LIBRARY = embedded_library()
BOOK = Rulebook()
TASKS = [task.id for task in LIBRARY.tasks()]


def text_of(kind: str) -> GameText:
    return LIBRARY.load(next(task for task in TASKS if kind in task))


def game_of(kind: str, style: str = "new") -> Game:
    return open_game(text_of(kind), BOOK, style)


def play(game: Game, tables: Tables, *commands: str) -> tuple[Tables, list[str]]:
    replies: list[str] = []
    for command in commands:
        move = game.find(tables, command)
        assert move is not None, command
        tables = game.after(tables, move)
        replies.append(game.reply(tables, move))
    return tables, replies


def facts_in(path: Path, table: Table) -> set[Fact]:
    found: set[Fact] = set()
    for key, values in table.items():
        known: Fact = (key,) if len(path.known) == 1 else key
        entries: list[Any] = list(values) if path.other else [()]
        for value in entries:
            other: Fact = (value,) if len(path.other) == 1 else value
            places = dict(zip((*path.known, *path.other), (*known, *other), strict=True))
            found.add(tuple(places[place] for place in range(len(places))))
    return found


@given(st.sampled_from(TASKS), st.sampled_from(["new", "old"]), st.randoms(use_true_random=False))
def test_all_tables_of_a_predicate_tell_the_same_and_the_first_state_stays(task: str, style: str, rng: random.Random) -> None:
    game = open_game(LIBRARY.load(task), BOOK, style)
    tables = game.tables
    first = [dict(table) for table in tables]
    for _ in range(12):
        commands = game.admissible(tables)
        assert commands == sorted(set(commands))
        tables, _ = play(game, tables, rng.choice(commands))
    for stores in game.stores.values():
        told = [facts_in(path, tables[number]) for number, path in stores]
        assert all(facts == told[0] for facts in told)
    assert game.tables == first


@pytest.mark.parametrize("task", TASKS[::15])
@pytest.mark.parametrize("style", ["new", "old"])
def test_walkthroughs_win_in_both_wordings(task: str, style: str) -> None:
    game = open_game(LIBRARY.load(task), BOOK, style)
    commands = [command if style == "new" else old(command) for command in game.walkthrough or ()]
    tables, replies = play(game, game.tables, *commands)
    assert game.won(tables)
    assert not any("move" in reply for reply in replies) or style == "new"


def old(command: str) -> str:
    return command.replace("move ", "put ").replace(" to ", " in/on ") if command.startswith("move ") else command


def test_the_older_wording_is_another_for_putting_and_arriving_and_knows_no_help() -> None:
    game = game_of("pick_and_place_simple", "old")
    *before, last = [old(command) for command in game.walkthrough or ()]
    assert last.startswith("put ")
    tables, replies = play(game, game.tables, *before)
    assert replies[0].startswith("You arrive at loc ")
    assert last in game.admissible(tables)
    assert "help" not in game.admissible(tables)
    thing, place = last.removeprefix("put ").split(" in/on ")
    assert game.find(tables, f"move {thing} to {place}") is None
    assert play(game, tables, last)[1] == [f"You put the {thing} in/on the {place}."]


def test_a_game_that_has_the_older_wording_plays_in_both() -> None:
    text = text_of("pick_and_place_simple")
    grammar = text.grammar
    for new, older in [
        ("move {o} to {r}", "put {o} in/on {r}"),
        ("You move the {o.name} to the {r.name}.", "You put the {o.name} in/on the {r.name}."),
        ("You arrive at {r.name}.", "You arrive at {lend.name}."),
    ]:
        assert new in grammar
        grammar = grammar.replace(new, older)
    older_text = replace(text, grammar=grammar)
    for style in ("new", "old"):
        commands = [command if style == "new" else old(command) for command in text.walkthrough or ()]
        expected = play(game_of("pick_and_place_simple", style), game_of("pick_and_place_simple", style).tables, *commands)[1]
        game = open_game(older_text, BOOK, style)
        assert play(game, game.tables, *commands)[1] == expected


def test_going_where_one_is_already_is_not_possible() -> None:
    game = game_of("pick_and_place_simple")
    there = next(command for command in game.admissible(game.tables) if command.startswith("go to "))
    tables, _ = play(game, game.tables, there)
    assert game.find(tables, there) is None
    assert there not in game.admissible(tables)


def test_a_look_later_sees_less_than_the_first() -> None:
    """The first look has no place of its own to look from: later ones have, as in the original."""
    game = game_of("look_at_obj_in_light")
    place, take, *_ = game.walkthrough or ("", "")
    _, replies = play(game, game.tables, "look", place, "look", take, "look", "inventory")
    name = place.removeprefix("go to ")
    assert replies[0] == "You are in the middle of a room. Looking quickly around you, you see nothing."
    assert replies[2] == replies[4] == f"You are facing the {name}. Next to it, you see nothing."
    assert replies[5] == f"You are carrying: a {take.removeprefix('take ').split(' from ')[0]}."


def test_the_goal_is_the_sentence_of_the_game() -> None:
    text = text_of("pick_heat")
    grammar, task = split_task(text.grammar)
    assert task == open_game(text, BOOK, "new").task
    assert task is not None
    assert task.startswith("Your task is to: ")
    assert split_task(grammar) == (grammar, "")


def test_a_goal_with_symbols_is_derived_like_any_text() -> None:
    text = text_of("pick_heat")
    task = open_game(text, BOOK, "new").task
    assert split_task(text.grammar.replace(task, "Do #list_empty#."))[1] is None
    assert open_game(replace(text, grammar=text.grammar.replace(task, "Do #list_empty#.")), BOOK, "new").task == "Do nothing."


Change = Callable[[GameText], GameText]


def problem(old: str, new: str) -> Change:
    return lambda text: replace(text, problem=text.problem.replace(old, new, 1))


def grammar(old: str, new: str) -> Change:
    return lambda text: replace(text, grammar=text.grammar.replace(old, new))


DAMAGE: dict[str, Change] = {
    "problem cut": lambda text: replace(text, problem=text.problem[: len(text.problem) // 2]),
    "domain cut": lambda text: replace(text, domain=text.domain[:3000]),
    "grammar cut": lambda text: replace(text, grammar=text.grammar[:3000]),
    "no goal": problem("(:goal", "(:aim"),
    "unknown predicate": problem("(pickupable ", "(liftable "),
    "unknown type": problem("- receptacle", "- box"),
    "unknown wording": grammar("move {o} to {r}", "shift {o} to {r}"),
    "unknown reply": grammar("You arrive at", "You come to"),
    "missing rule": grammar('"look-variations"', '"looks"'),
    "missing action": grammar("action OpenObject", "action Unlock"),
    "rule of itself": grammar("You close the {r.name}.", "#CloseObject.feedback#"),
    "no default": grammar('"rhs": "You are not', '"condition": "holdsany(a:agent)", "rhs": "You are not'),
    "other arguments": grammar("opened(r:receptacle)", "opened(o:object)"),
    "code": grammar("{r.name or r.id}", "{r.name.upper()}"),
    "command from the state": grammar('"open {r}"', '"open [{o.name | inreceptacle(o:object, r:receptacle)}]"'),
    "text on a conditional effect": grammar("istoggled(o:object)", "ison(o:object)"),
    "another intro": grammar("#look.feedback#\\n\\n#task#", "#task#"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_game_that_is_damaged_or_not_understood_is_refused_by_name(damage: str) -> None:
    text = text_of("pick_cool")
    changed = DAMAGE[damage](text)
    assert changed != text
    with pytest.raises(RestepError, match=text.task_id) as failure:
        open_game(changed, BOOK, "new")
    assert failure.value.code == "data_corrupt"


def test_a_game_without_walkthrough_or_solution_is_played() -> None:
    text = text_of("pick_and_place_simple")
    goal = text.problem.index("(:goal")
    hopeless = replace(text, problem=text.problem[:goal] + "(:goal (exists (?o - object) (isSliced ?o)))\n)", walkthrough=None)
    game = open_game(hopeless, BOOK, "new")
    tables, _ = play(game, game.tables, *(text.walkthrough or ()))
    assert not game.won(tables)
