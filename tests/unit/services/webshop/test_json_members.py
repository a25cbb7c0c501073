"""Places of members are exactly those of their values, for any content and layout; damage is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.json_members import Member, Slices, elements, fields
from shared.errors import RestepError

TEXT = st.text(st.sampled_from('a"\\{}[],:é❤\n\ud800'), max_size=8)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(float("inf")) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
OBJECT = st.dictionaries(TEXT, VALUE, max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("members") / "file.json"


def read(path: Path, found: Iterator[Member]) -> list[tuple[str, Any]]:
    slices = Slices(path)
    return [(member.key, slices.read(member.begin, member.end)) for member in found]


@given(st.lists(OBJECT, max_size=4), st.sampled_from([None, 2]), st.booleans())
def test_elements_are_those_of_the_array(path: Path, rows: list[Any], indent: int | None, ascii_only: bool) -> None:
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii_only), "utf-8", errors="replace")
    assert [row for _, row in read(path, elements(path))] == json.loads(path.read_text("utf-8"))


@given(st.dictionaries(TEXT, OBJECT, max_size=4), st.sampled_from([None, 2]))
def test_fields_are_those_of_the_object(path: Path, rows: dict[str, Any], indent: int | None) -> None:
    path.write_text(json.dumps(rows, indent=indent) + "\n")
    assert dict(read(path, fields(path))) == json.loads(path.read_text())


@given(st.lists(OBJECT, min_size=1, max_size=4), st.data())
def test_a_cut_file_is_damaged(path: Path, rows: list[Any], data: st.DataObject) -> None:
    whole = json.dumps(rows)
    path.write_text(whole[: data.draw(st.integers(1, len(whole) - 1))])
    with pytest.raises(RestepError, match=r"no object where one should be, at byte \d+") as raised:
        list(elements(path))
    assert raised.value.code == "data_corrupt"


@pytest.mark.parametrize("content", ["[1]", '[{"a": 1} 2]', "{}x", '[{"a"}, nonsense', '[{"a": {' * 12 + "}" * 24 + "]"])
def test_what_is_no_array_of_objects_is_damaged(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(RestepError) as raised:
        list(elements(path))
    assert raised.value.code == "data_corrupt"


def test_an_empty_file_is_damaged_and_an_absent_one_not_found(path: Path) -> None:
    path.write_text("")
    with pytest.raises(RestepError, match="empty"):
        list(elements(path))
    with pytest.raises(RestepError, match="No such file") as raised:
        list(fields(path.with_name("absent")))
    assert raised.value.code == "data_not_found"
    with pytest.raises(RestepError, match="No such file"):
        Slices(path.with_name("absent"))


def test_a_place_without_a_value_is_damaged(path: Path) -> None:
    path.write_text('[{"a": 1}]')
    assert Slices(path).read(1, 9) == {"a": 1}
    with pytest.raises(RestepError, match="byte 2") as raised:
        Slices(path).read(2, 9)
    assert raised.value.code == "data_corrupt"
