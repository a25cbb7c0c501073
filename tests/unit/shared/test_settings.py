from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import RestepError
from shared.settings import EnvironmentSettings, ServerSettings, client_token, read_token
from shared.tokens import Token


def test_variables_set_what_flags_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESTEP_CAPACITY", "7")
    monkeypatch.setenv("RESTEP_EXPERT", "true")
    monkeypatch.setenv("RESTEP_DATA", str(tmp_path))
    settings = EnvironmentSettings(port=8003)
    assert (settings.capacity, settings.expert, settings.data, settings.port) == (7, True, tmp_path, 8003)
    assert EnvironmentSettings(capacity=9).capacity == 9


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("CAPACITY", "0"), ("LEASE_SECONDS", "-1"), ("LOG_LEVEL", "loud"), ("WORKERS", "x")]
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"RESTEP_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        EnvironmentSettings()


def test_there_are_few_knobs_and_each_is_described() -> None:
    assert len(EnvironmentSettings.model_fields) <= 14
    assert all(field.description for field in EnvironmentSettings.model_fields.values())


def test_a_server_is_open_and_local_by_default() -> None:
    assert ServerSettings().tokens() is None
    assert ServerSettings().host == "127.0.0.1"
    assert not EnvironmentSettings().expert


def test_the_tokens_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  secret\nann other\n")
    assert ServerSettings(token_file=file).tokens() == (Token("secret"), Token("other", "ann"))
    with pytest.raises(RestepError, match="data_not_found"):
        ServerSettings(token_file=tmp_path / "none").tokens()


def test_a_secret_is_all_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("  a secret\n")
    assert read_token(file) == "a secret"
    for content, told in ((b"\n", "empty"), (b"\xff\xfe\x00", "not text")):
        file.write_bytes(content)
        with pytest.raises(RestepError, match=told):
            read_token(file)


def test_clients_send_the_token_of_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RESTEP_TOKEN_FILE", raising=False)
    assert client_token() is None
    monkeypatch.setenv("RESTEP_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(RestepError, match="data_not_found"):
        client_token()
    (tmp_path / "token").write_text("ann secret\nann the-one-before\n")
    assert client_token() == "secret"
