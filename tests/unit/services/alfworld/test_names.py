"""Names that players read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.alfworld.names import display_names


def test_the_first_of_a_kind_has_the_highest_number() -> None:
    ids = ["mug_bar__plus_00_dot_10", "mug_bar__minus_01_dot_00", "desk_bar_1", "mug_bar__plus_02_dot_00"]
    assert display_names(ids) == {
        "desk_bar_1": "desk 1",
        "mug_bar__minus_01_dot_00": "mug 3",
        "mug_bar__plus_00_dot_10": "mug 2",
        "mug_bar__plus_02_dot_00": "mug 1",
    }


def test_a_basin_is_not_its_sink() -> None:
    ids = ["sink_bar_1", "sink_bar_1_bar_sinkbasin", "sinkbasin_bar_2"]
    assert list(display_names(ids).values()) == ["sink 1", "sinkbasin 1", "sinkbasinbasin 1"]


def test_an_id_without_a_place_keeps_its_text_and_a_blank() -> None:
    assert display_names(["agent1", "a_plus_b"]) == {"agent1": "agent1 ", "a_plus_b": "a+b "}


@given(
    st.sets(
        st.builds("{}_bar_{}".format, st.sampled_from(["mug", "cup", "tub"]), st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True))
    )
)
def test_names_are_distinct_and_count_from_one(ids: set[str]) -> None:
    names = display_names(ids)
    assert names.keys() == ids
    assert len(set(names.values())) == len(ids)
    kinds: dict[str, list[int]] = {}
    for name in names.values():
        kind, _, number = name.rpartition(" ")
        kinds.setdefault(kind, []).append(int(number))
    assert all(numbers == list(range(len(numbers), 0, -1)) for numbers in kinds.values())
