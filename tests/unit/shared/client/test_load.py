from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.client.load import Load, least_loaded

capacities = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@given(capacities=capacities, begun=st.integers(0, 60), chosen_to_end=st.lists(st.integers(0, 1000), max_size=60))
def test_no_server_is_fuller_than_another_would_be(capacities: list[int], begun: int, chosen_to_end: list[int]) -> None:
    """After whatever was begun and ended, the next goes where one more fills least, and to a full one last."""
    loads = [Load(capacity) for capacity in capacities]
    placed: list[int] = []
    for _ in range(begun):
        index = least_loaded(loads)
        assert all(loads[index].share <= other.share for other in loads)
        assert not loads[index].full or all(load.full for load in loads)
        loads[index].own += 1
        placed.append(index)
        if chosen_to_end and placed:
            loads[placed.pop(chosen_to_end.pop() % len(placed))].own -= 1
    assert sum(load.expected for load in loads) == len(placed)


@given(capacities=capacities)
def test_servers_fill_in_proportion_and_all_before_any_is_overfull(capacities: list[int]) -> None:
    loads = [Load(capacity) for capacity in capacities]
    for _ in range(sum(capacities)):
        loads[least_loaded(loads)].own += 1
    assert [load.expected for load in loads] == capacities


@given(held=st.integers(0, 50), own=st.integers(0, 50), since=st.integers(-50, 50))
def test_a_report_counts_until_the_next_and_what_changed_since_is_added(held: int, own: int, since: int) -> None:
    load = Load(own=own)
    load.report(100, held)
    assert load.expected == held
    load.own = max(0, own + since)
    assert load.expected == max(0, held + load.own - own)


def test_who_refused_is_full_until_it_reports() -> None:
    load, other = Load(), Load()
    load.report(10, 2)
    other.report(10, 9)
    load.fill()
    assert (load.full, least_loaded([load, other])) == (True, 1)
    load.report(10, 2)
    assert (load.full, least_loaded([load, other])) == (False, 0)


def test_equals_are_chosen_by_chance_so_that_clients_spread() -> None:
    assert {least_loaded([Load(4), Load(4), Load(4)]) for _ in range(200)} == {0, 1, 2}
