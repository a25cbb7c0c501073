"""What a product can earn: no choice of options does better, and the reason for less is true."""

from __future__ import annotations

from itertools import product as combinations

from hypothesis import given
from hypothesis import strategies as st

from services.webshop.prospect import Prospect
from services.webshop.world import World


def drawn(world: World, data: st.DataObject) -> Prospect:
    """A goal and a product, its own, of its kind or any."""
    number = data.draw(st.integers(0, len(world.tasks.select()) - 1))
    goal = world.tasks.goal(world.tasks.select()[number].id)
    catalogue = world.shop.catalogue
    kind = st.sampled_from(catalogue.with_query(catalogue[goal.product].query))
    return Prospect(world, goal, data.draw(st.just(goal.product) | kind | st.integers(0, len(catalogue) - 1)))


def choices(prospect: Prospect) -> list[dict[str, str]]:
    """Every way to choose options or none."""
    groups = [[(name, value) for value in (None, *values)] for name, values in prospect.product.options.items()]
    return [{name: value for name, value in picked if value is not None} for picked in combinations(*groups)]


@given(st.data())
def test_no_choice_earns_more_than_the_one_that_is_made(embedded: World, data: st.DataObject) -> None:
    prospect = drawn(embedded, data)
    everything = choices(prospect)
    start = data.draw(st.sampled_from(everything))
    made = prospect.choose(start)
    after = {**start, **{choice.name: choice.value for choice in made}}
    most = max(prospect.reward(chosen).total for chosen in everything)
    assert prospect.reward(after).total == most == prospect.ceiling
    fewest = min(
        sum(start.get(name) != value for name, value in chosen.items())
        for chosen in everything
        if start.keys() <= chosen.keys() and prospect.reward(chosen).total == most
    )
    if prospect.bare.r_type > 0.0:
        assert len(made) == fewest


@given(st.data(), st.integers(0, 3))
def test_the_limit_on_choices_is_kept_and_used(embedded: World, data: st.DataObject, most: int) -> None:
    prospect = drawn(embedded, data)
    made = prospect.choose({}, most)
    assert len(made) <= most
    best = max(prospect.reward(chosen).total for chosen in choices(prospect) if len(chosen) <= most)
    assert prospect.reward({choice.name: choice.value for choice in made}).total == best


@given(st.data())
def test_a_product_lacks_something_exactly_when_it_does_not_fit(embedded: World, data: st.DataObject) -> None:
    prospect = drawn(embedded, data)
    assert bool(prospect.lack) is (prospect.ceiling < 1.0)
    assert prospect.can_earn(1.0) is (prospect.ceiling == 1.0)
    for chosen in choices(prospect)[::7]:
        assert bool(prospect.missing(chosen)) is (prospect.reward(chosen).total < 1.0)


@given(st.data())
def test_what_can_fit_is_a_candidate(embedded: World, data: st.DataObject) -> None:
    prospect = drawn(embedded, data)
    assert prospect.candidate or prospect.ceiling < 1.0


def test_reasons_copy_the_goal(embedded: World) -> None:
    seen: set[str] = set()
    for task in embedded.tasks.select("test")[::25]:
        goal = embedded.tasks.goal(task.id)
        for number in embedded.shop.catalogue.with_query(embedded.shop.catalogue[goal.product].query):
            lack = Prospect(embedded, goal, number).lack
            for opening in ("it does not come with ", "its price is not lower than ", "nothing says "):
                if lack.startswith(opening):
                    assert lack.removeprefix(opening).removesuffix(" of it") in goal.text
                    seen.add(opening)
    assert len(seen) == 3
