"""The expert's thoughts: one short, truthful sentence for an action, in the words of the goal and of the page.

Names stand as the shopper reads them, in a wording that repeats itself: what a small student has to learn is to compare
and to copy, not style. What only holds because steps run out, or because nothing better is sold, is said so.
"""

from __future__ import annotations

from typing import Final

from services.webshop import sentences
from services.webshop.actions import SEARCH, parse_action
from services.webshop.planner import BACK, BUY, NEXT, Planner, Way
from services.webshop.queries import option_text
from services.webshop.state import Place, State

MAX_WORDS: Final = 25


def thought(planner: Planner, state: State, way: Way | None) -> str:
    """What the first action of ``way`` is for, in at most :data:`MAX_WORDS` words; empty where there is no way."""
    if way is None:
        return ""
    action = way.actions[0]
    if action.startswith(SEARCH):
        wordings = _searching(planner, state)
    elif action == NEXT:
        wordings = _turning(planner, state, way)
    elif action == BACK:
        wordings = _going_back(planner, state, way)
    elif action == BUY:
        wordings = _buying(state, way)
    elif state.place is Place.RESULTS:
        wordings = _opening(planner, way)
    else:
        wordings = _choosing(planner, way)
    return next((text for text in wordings if len(text.split()) <= MAX_WORDS), wordings[-1])


def _searching(planner: Planner, state: State) -> list[str]:
    if state.place is Place.START:
        query = planner.target.query
        wanted = query if query in planner.goal.text else "what the goal asks for"
        return [sentences.search(wanted), "I search with the words of the goal."]
    if planner.shown(state):
        return ["The words of the goal lead to what fits it sooner, so I search with its words."]
    return [sentences.AGAIN]


def _turning(planner: Planner, state: State, way: Way) -> list[str]:
    here = any(page == state.page for page, _ in planner.shown(state))
    if not here:
        return [sentences.turn_page(state.page)]
    return [f"What {_fits(way)} is on a later page, so I look at the next page."]


def _going_back(planner: Planner, state: State, way: Way) -> list[str]:
    if state.place is Place.RESULTS:
        return [f"What {_fits(way)} is on a page before this one, so I go back."]
    if state.place is Place.SECTION and way.actions[1] != BACK:
        return [sentences.READ]
    lack = planner.prospect(state.product).lack or "there is a better one"
    return [f"{lack[0].upper()}{lack[1:]}, so I go back.", sentences.UNFIT]


def _opening(planner: Planner, way: Way) -> list[str]:
    return [sentences.open_product(planner.world.shop.catalogue[way.number].asin, _fits(way))]


def _choosing(planner: Planner, way: Way) -> list[str]:
    value = parse_action(way.actions[0])[1]
    wanted = option_text(planner.goal.options[min(planner.prospect(way.number).meets(value))])
    return [sentences.choose(wanted, value), sentences.choose("it", value)]


def _fits(way: Way) -> str:
    return sentences.FITS if way.reward == 1.0 else sentences.NEAREST


def _buying(state: State, way: Way) -> list[str]:
    if way.reward < 1.0:
        return ["Nothing better can be reached from here, so I buy this."]
    return [sentences.buy(chosen=bool(state.options))]
