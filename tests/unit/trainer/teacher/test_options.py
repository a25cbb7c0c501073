from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import RestepError
from trainer.teacher.options import EndpointOptions, Prices

HERE = {"url": "http://127.0.0.1:1/v1", "model": "m"}


def options(**changes: object) -> EndpointOptions:
    return EndpointOptions.model_validate(HERE | changes)


def test_a_key_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTEP_TEACHER_KEY", raising=False)
    assert options().key() is None
    monkeypatch.setenv("RESTEP_TEACHER_KEY", "from-variable")
    assert options().key() == "from-variable"
    file = tmp_path / "key"
    file.write_text("from-file\n")
    assert options(key_file=file).key() == "from-file"


@pytest.mark.parametrize("content", [None, b" \n", b"\xff\xfe"])
def test_a_file_without_a_key_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RestepError, match=f"data_not_found: key file {file}"):
        options(key_file=file).key()


@pytest.mark.parametrize("field", [{"key": "sk-secret"}, {"key_env": "sk-secret"}, {"url": "127.0.0.1:8000"}])
def test_a_recipe_holds_no_key_and_a_whole_address(field: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        options(**field)


def test_prices_are_for_a_million_tokens() -> None:
    assert Prices(prompt=2.0, completion=10.0).cost(500_000, 100_000) == pytest.approx(2.0)
