"""Experts at work: their ways win, they never call their own steps wrong, and one of them does not know the unseen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from services.alfworld.expert import Expert
from services.alfworld.explorer import Explorer, Seen
from services.alfworld.game import open_game
from services.alfworld.library import embedded_library
from services.alfworld.planner import Planner
from services.alfworld.rules import Rulebook
from services.alfworld.source import GameText
from shared.environment import EpisodeKey
from shared.errors import RestepError
from shared.protocol import ERROR_DECISIONS, ExpertAdvice, StepVerdict

LIBRARY = embedded_library()
TASKS = [task.id for task in LIBRARY.tasks()]


@pytest_asyncio.fixture
async def expert() -> AsyncIterator[Expert]:
    expert = Expert(LIBRARY.load)
    yield expert
    expert.close()


async def ask(
    expert: Expert, task: str, actions: list[str], who: str = "explorer", max_steps: int = 60, style: str = "new"
) -> ExpertAdvice:
    options = (("action_style", style), ("expert", who), ("goal", "game"))
    return await expert.advise(EpisodeKey(task, 0, options, tuple(actions)), max_steps)


def said(advice: ExpertAdvice) -> StepVerdict:
    assert advice.verdict is not None
    return advice.verdict


@pytest.mark.parametrize("who", ["explorer", "planner"])
@pytest.mark.parametrize("task", TASKS[::30])
async def test_following_the_advice_wins_without_a_wrong_step(expert: Expert, task: str, who: str) -> None:
    first = await ask(expert, task, [], who)
    assert first.verdict is None
    assert first.reachable
    for number in range(len(first.actions)):
        advice = await ask(expert, task, first.actions[: number + 1], who)
        assert advice.actions == first.actions[number + 1 :]
        assert said(advice).decision not in ERROR_DECISIONS
        assert bool(advice.thought) is bool(advice.actions)
    last = await ask(expert, task, first.actions, who)
    assert said(last).distance_after == 0
    assert said(last).reason == "this reaches the goal"


async def test_the_planner_needs_no_more_than_the_explorer(expert: Expert) -> None:
    for task in TASKS[::20]:
        shortest, seen = await ask(expert, task, [], "planner"), await ask(expert, task, [])
        assert len(shortest.actions) <= len(seen.actions)


async def test_advice_speaks_the_wording_of_the_session(expert: Expert) -> None:
    task = next(task for task in TASKS if "pick_and_place" in task)
    assert (await ask(expert, task, [], style="old")).actions[-1].startswith("put ")
    assert (await ask(expert, task, [])).actions[-1].startswith("move ")


@pytest.mark.parametrize("kind", ["pick_and_place", "pick_two", "look_at", "pick_heat", "pick_cool", "pick_clean"])
def test_the_explorer_does_the_same_wherever_the_unseen_is(kind: str) -> None:
    """The thing moved to another place that nobody has seen changes nothing before one of the two places is seen."""
    text = LIBRARY.load(next(task for task in TASKS if kind in task))
    game = open_game(text, Rulebook(), "new")
    explorer = Explorer(Planner(game))
    way = explorer.way(game.tables, Seen())
    assert way is not None
    names = list(game.problem.numbers)
    wanted = {names[thing] for thing in explorer.wanted(Seen())}
    far = next(names[one] for one in (explorer.target(move) for move in reversed(way)) if one is not None)

    def moved(fact: re.Match[str]) -> str:
        thing, place = fact[1].lower(), fact[2].lower()
        return f"(inReceptacle {thing} {far if thing in wanted else place})".lower()

    problem = re.sub(r"\(inReceptacle (\S+) ([^\s)]+)\)", moved, text.problem)
    again = open_game(replace(text, problem=problem), Rulebook(), "new")
    before, after = (set(Planner(one).house.facts("inreceptacle", one.tables)) for one in (game, again))
    assert before != after
    elsewhere = Explorer(Planner(again)).way(again.tables, Seen())
    assert elsewhere is not None
    changed = {fact[1] for fact in before ^ after}
    for ours, theirs in zip(way, elsewhere, strict=False):
        assert again.command(theirs) == game.command(ours)
        if explorer.target(ours) in changed:
            break


async def test_wrong_steps_are_told_apart(expert: Expert) -> None:
    task = next(task for task in TASKS if "pick_heat" in task)
    way = (await ask(expert, task, [], "planner")).actions
    take = next(number for number, action in enumerate(way) if action.startswith("take "))
    held = way[: take + 1]
    assert said(await ask(expert, task, [*held, "fly away"])).decision == "invalid"
    assert said(await ask(expert, task, [*held, "look"])).decision == "needless"
    assert said(await ask(expert, task, [*held, "inventory"])).decision == "needless"
    back = held[take].replace("take ", "move ").replace(" from ", " to ")
    harmful = said(await ask(expert, task, [*held, back]))
    assert harmful.decision == "harmful"
    assert (harmful.distance_after or 0) > (harmful.distance_before or 0)
    late = said(await ask(expert, task, [*held, "look"], max_steps=len(held) + 2))
    assert late.decision == "fatal"
    assert not (await ask(expert, task, [*held, "look"], max_steps=len(held) + 2)).reachable


async def test_looking_at_a_new_place_is_no_error_but_coming_back_is(expert: Expert) -> None:
    task = next(task for task in TASKS if "look_at" in task)
    game = open_game(LIBRARY.load(task), Rulebook(), "new")
    source = (game.walkthrough or ("",))[0]
    places = [command for command in game.admissible(game.tables) if command.startswith("go to ") and command != source]
    barren = [place for place in places if said(await ask(expert, task, [place])).decision == "exploring"]
    assert len(barren) >= 2
    assert said(await ask(expert, task, [*barren[:2], barren[0]])).decision == "needless"


async def test_a_game_without_solution_has_no_advice_and_says_so(expert: Expert) -> None:
    text = LIBRARY.load(next(task for task in TASKS if "pick_heat" in task))
    hopeless: GameText = replace(text, problem=text.problem.replace("(heatable", "(cleanable"), walkthrough=None)
    alone = Expert(lambda task: hopeless)
    try:
        first = await ask(alone, text.task_id, [])
        assert (first.actions, first.reachable, first.thought) == ([], False, "")
        assert said(await ask(alone, text.task_id, ["look"])).decision == "fatal"
    finally:
        alone.close()


async def test_unknown_and_damaged_games_are_told(expert: Expert) -> None:
    with pytest.raises(RestepError) as failure:
        await ask(expert, "train/no/game", [])
    assert failure.value.code == "unknown_task"
