from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import RestepError
from shared.tokens import Token, read_tokens


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "tokens").write_text(text)
    return tmp_path / "tokens"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("secret", [Token("secret")]),
        ("  secret \n", [Token("secret")]),
        ("# of 2026\nann new\nann old\n\nbob\tother\n", [Token("new", "ann"), Token("old", "ann"), Token("other", "bob")]),
    ],
)
def test_a_line_is_a_token_or_a_name_and_a_token(tmp_path: Path, text: str, tokens: list[Token]) -> None:
    assert list(read_tokens(written(tmp_path, text))) == tokens


@pytest.mark.parametrize(
    ("text", "code"), [("", "data_not_found"), ("\n# none\n", "data_not_found"), ("good\nann the SECRET\n", "data_corrupt")]
)
def test_a_file_without_tokens_is_refused_and_none_of_it_told(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(RestepError) as caught:
        read_tokens(written(tmp_path, text))
    assert caught.value.code == code
    assert "SECRET" not in str(caught.value)


def test_a_secret_is_no_part_of_what_is_printed() -> None:
    assert "hidden" not in f"{Token('hidden', 'ann')!r} {Token('hidden')}"
