"""The slot table against a plain model of what it must remember."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.agent.backends.slots import Lease, SlotTable

HEAD = list(range(100, 140))


def test_the_next_turn_goes_on_in_its_own_slot() -> None:
    table = SlotTable(4)
    first = table.acquire([*HEAD, 1])
    table.release(first.slot, [*HEAD, 1, 2])
    assert table.acquire([*HEAD, 1, 2, 3, 4]) == Lease(first.slot, len(HEAD) + 2)


def test_a_branch_copies_and_leaves_the_trunk() -> None:
    table = SlotTable(4)
    trunk = table.acquire([*HEAD, 1])
    table.release(trunk.slot, [*HEAD, 1, 2])
    branch = table.acquire([*HEAD, 9])
    assert branch.source == trunk.slot
    assert branch.slot != trunk.slot
    assert branch.reused == len(HEAD)
    assert table.remembered == 1


def test_the_same_prompt_again_computes_only_its_last_token() -> None:
    table = SlotTable(4)
    first = table.acquire([*HEAD, 1])
    table.release(first.slot, [*HEAD, 1])
    again = table.acquire([*HEAD, 1])
    assert (again.reused, again.source) == (len(HEAD), first.slot)


def test_a_few_common_tokens_are_not_worth_a_copy() -> None:
    table = SlotTable(2)
    first = table.acquire([1, 2, 3])
    table.release(first.slot, [1, 2, 3])
    assert table.acquire([1, 2, 9]).reused == 0


def test_the_longest_unused_is_forgotten_first() -> None:
    table = SlotTable(2)
    for start in (0, 1000):
        lease = table.acquire([start])
        table.release(lease.slot, list(range(start, start + 30)))
    table.acquire([5000])
    assert table.acquire([*range(1000, 1030), 1]).reused == 30
    assert table.available == 0


def test_with_no_other_room_a_branch_takes_the_trunk_over() -> None:
    table = SlotTable(1)
    lease = table.acquire([*HEAD, 1])
    table.release(lease.slot, [*HEAD, 1])
    assert table.acquire([*HEAD, 9]) == Lease(lease.slot, len(HEAD))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60), st.booleans()), max_size=60))
def test_what_is_reused_was_really_there(moves: list[tuple[int, int, bool]]) -> None:
    """Contents of every slot are kept beside the table; a lease may only reuse what its slot or source holds."""
    table = SlotTable(3)
    contents: dict[int, list[int]] = {}
    leased: dict[int, list[int]] = {}
    for family, length, keep in moves:
        if table.available == 0:
            slot, ids = leased.popitem()
            contents[slot] = ids if keep else []
            table.release(slot, contents[slot])
        prompt = [family, *range(length)]
        lease = table.acquire(prompt)
        assert lease.slot not in leased
        assert lease.source not in leased
        held = contents.get(lease.slot if lease.source is None else lease.source, [])
        assert lease.reused < len(prompt)
        assert held[: lease.reused] == prompt[: lease.reused]
        leased[lease.slot] = prompt
        contents.pop(lease.slot, None)
        assert table.available + len(leased) == 3
