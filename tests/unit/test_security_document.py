"""docs/security.md names tests, variables and limits: each of them is there, with the value it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.agent.settings import AgentSettings
from services.envserver.limits import MAX_ACTION_CHARS, MAX_HISTORY_CHARS
from services.http.limits import MAX_BODY_BYTES
from services.viewer.files import MAX_BYTES
from services.viewer.settings import ViewerSettings
from shared.heads import MAX_HEAD_BYTES
from shared.protocol import MAX_STEPS, BatchRequest
from shared.settings import EnvironmentSettings
from shared.slow_clients import PATIENCE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()
FIELDS = {**AgentSettings.model_fields, **ViewerSettings.model_fields, **EnvironmentSettings.model_fields}
ELSEWHERE = {"TEACHER_KEY", "STORE_PASSWORD_FILE"}
"""Variables that are no server's."""


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:unit|integration|conformance|e2e)/[\w/.]+)`", TEXT))))
def test_every_test_that_is_named_is_there(name: str) -> None:
    assert (ROOT / "tests" / name).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"RESTEP_([A-Z_]+)", TEXT)) - ELSEWHERE))
def test_every_variable_that_is_named_is_a_setting(name: str) -> None:
    assert name.lower() in FIELDS


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("body, chunked or not", f"{MAX_BODY_BYTES >> 20} MiB"),
        ("request line and headers", f"{MAX_HEAD_BYTES >> 10} KiB"),
        ("action", f"{MAX_ACTION_CHARS:,} characters"),
        ("steps in a batch", f"{BatchRequest.model_fields['steps'].metadata[1].max_length:,}"),
        ("sessions of a server", f"`RESTEP_CAPACITY`, {FIELDS['capacity'].default}"),
        ("steps of a session", f"{MAX_STEPS:,}"),
        ("history of a session", f"{MAX_HISTORY_CHARS:,} characters"),
        ("idle session", f"`RESTEP_LEASE_SECONDS`, {FIELDS['lease_seconds'].default:g} s"),
        ("engine call", f"`RESTEP_ENGINE_TIMEOUT`, {FIELDS['engine_timeout'].default:g} s"),
        ("steps queued or running", f"`RESTEP_QUEUE`, {EnvironmentSettings.model_fields['queue'].default:,}"),
        ("requests waiting at the agent", f"`RESTEP_QUEUE`, {AgentSettings.model_fields['queue'].default:,}"),
        ("a client that stops", f"{PATIENCE:g} s"),
        ("a file of a run", f"{MAX_BYTES >> 20} MiB"),
    ],
)
def test_every_limit_has_the_value_it_is_said_to_have(row: str, value: str) -> None:
    (line,) = (line for line in TEXT.splitlines() if line.startswith(f"| {row}"))
    assert f"| {value} |" in line
