"""A pack gives back every character; a damaged one says so."""

from __future__ import annotations

import lzma
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alfworld import pack as pack_module
from services.alfworld.pack import Pack, PackWriter
from services.alfworld.source import GameText
from shared.errors import RestepError
from tests.support.game_layouts import IDS, game, games, grammar

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
SENTENCE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\'), max_size=40)


def write(path: Path, texts: list[GameText], left_out: dict[str, str] | None = None) -> Path:
    writer = PackWriter("a notice")
    for text in texts:
        writer.add(text)
    writer.write(path, left_out)
    return path


def corrupt(path: Path, task_id: str | None = None) -> str:
    with pytest.raises(RestepError) as raised:
        Pack(path) if task_id is None else Pack(path).load(task_id)
    assert raised.value.code == "data_corrupt"
    return raised.value.detail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "games.jsonl.xz", games())


@st.composite
def any_grammar(draw: st.DrawFn) -> str:
    """With a task sentence, and maybe the words that stand for an open one before or behind it."""
    noise = TEXT | st.sampled_from(["UNKNOWN GOAL.", "Your task is to: UNKNOWN GOAL."])
    return draw(noise) + grammar(f"Your task is to: {draw(SENTENCE)}") + draw(noise)


@st.composite
def any_games(draw: st.DrawFn) -> list[GameText]:
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    return [
        GameText(
            task_id,
            domain=draw(TEXT),
            grammar=draw(any_grammar()),
            problem=draw(TEXT),
            walkthrough=draw(st.none() | st.lists(TEXT, min_size=1, max_size=3).map(tuple)),
            annotations=draw(st.lists(TEXT, max_size=2).map(tuple)),
        )
        for task_id in ids
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_games(), st.integers(1, 2000))
def test_every_game_comes_back_as_it_was(tmp_path: Path, texts: list[GameText], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_module, "CHUNK_BYTES", chunk)
        pack = Pack(write(tmp_path / "any.jsonl.xz", texts))
    assert {text.task_id: pack.load(text.task_id) for text in texts} == {text.task_id: text for text in texts}


def test_index_and_notice_travel_along(tmp_path: Path) -> None:
    pack = Pack(write(tmp_path / "p.jsonl.xz", games(), {"train/x/y": "why"}))
    assert pack.notice == "a notice"
    assert pack.index.splits() == {"train": 3, "valid_seen": 1}
    assert pack.index.task(IDS[0]).goal == "Your task is to: do something with the mug."
    assert pack.index.left_out == {"train/x/y": "why"}


def test_the_order_of_adding_does_not_matter(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl.xz", games())
    other = write(tmp_path / "b.jsonl.xz", games()[::-1])
    assert one.read_bytes() == other.read_bytes()


def test_a_quick_pack_holds_the_same(path: Path, tmp_path: Path) -> None:
    writer = PackWriter()
    for text in games():
        writer.add(text)
    writer.write(tmp_path / "quick.jsonl.xz", quick=True)
    quick = Pack(tmp_path / "quick.jsonl.xz")
    assert [quick.load(task_id) for task_id in IDS] == games()
    assert quick.index.data_version() == Pack(path).index.data_version()


def test_shared_texts_are_kept_once(path: Path) -> None:
    lines = lzma.decompress(path.read_bytes()).split(b"\n")
    header = orjson.loads(lines[0])
    assert (len(header["domains"]), len(header["grammars"])) == (1, 1)
    assert all(b"(define (domain" not in line for line in lines[1:])


def test_xz_itself_shows_lines_of_json(path: Path) -> None:
    shown = subprocess.run(["xz", "--decompress", "--stdout", path], capture_output=True, check=True).stdout
    assert [orjson.loads(line).get("id") for line in shown.splitlines()][1:] == [IDS[3], IDS[0], IDS[2], IDS[1]]


def test_threads_may_share_a_pack(path: Path) -> None:
    pack = Pack(path)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(pack.load, IDS * 50)) == games() * 50


def test_an_unknown_game_is_refused(path: Path) -> None:
    with pytest.raises(RestepError, match="no task") as raised:
        Pack(path).load("train/a/b")
    assert raised.value.code == "unknown_task"


def test_a_game_added_twice_is_refused() -> None:
    writer = PackWriter()
    writer.add(game(IDS[0]))
    with pytest.raises(RestepError, match="twice"):
        writer.add(game(IDS[0]))


def test_a_cut_file_is_refused_wherever_it_was_cut(path: Path) -> None:
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert str(path) in corrupt(path)
    path.write_bytes(whole + b"x")
    assert "cut or changed" in corrupt(path)


def test_a_changed_byte_is_noticed(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-60] ^= 1
    path.write_bytes(whole)
    assert IDS[0] in corrupt(path, IDS[0])


@pytest.mark.parametrize(
    "content",
    [
        b"plain text of some length",
        lzma.compress(b"not JSON"),
        lzma.compress(b"[]"),
        lzma.compress(b'{"format": "other"}'),
    ],
)
def test_another_file_is_no_pack(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.jsonl.xz"
    path.write_bytes(content)
    assert "not a pack" in corrupt(path)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"format": "restep-alfworld-games", "version": 9}'))
    assert "version 9" in corrupt(path)


def test_an_incomplete_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"format": "restep-alfworld-games", "version": 1}'))
    assert "incomplete" in corrupt(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RestepError, match=r"absent\.jsonl\.xz") as raised:
        Pack(tmp_path / "absent.jsonl.xz")
    assert raised.value.code == "data_not_found"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RestepError, match="file") as raised:
        write(tmp_path / "file" / "games.jsonl.xz", games())
    assert raised.value.code == "data_not_written"
