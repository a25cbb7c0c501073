from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import RestepError
from shared.settings import EnvironmentSettings, ServerSettings, client_token


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


def test_there_are_at_most_a_dozen_knobs_and_each_is_described() -> None:
    assert len(EnvironmentSettings.model_fields) <= 12
    assert all(field.description for field in EnvironmentSettings.model_fields.values())


def test_a_server_is_open_and_local_by_default() -> None:
    assert ServerSettings().token() is None
    assert ServerSettings().host == "127.0.0.1"
    assert not EnvironmentSettings().expert


def test_the_token_is_the_files_text(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  secret\n")
    assert ServerSettings(token_file=file).token() == "secret"
    file.write_text("\n")
    with pytest.raises(RestepError, match="empty"):
        ServerSettings(token_file=file).token()
    with pytest.raises(RestepError, match="data_not_found"):
        ServerSettings(token_file=tmp_path / "none").token()


def test_a_token_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RestepError, match="not text"):
        ServerSettings(token_file=file).token()


def test_clients_send_the_token_of_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RESTEP_TOKEN_FILE", raising=False)
    assert client_token() is None
    monkeypatch.setenv("RESTEP_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(RestepError, match="data_not_found"):
        client_token()
    (tmp_path / "token").write_text("secret\nthe one before\n")
    assert client_token() == "secret"
