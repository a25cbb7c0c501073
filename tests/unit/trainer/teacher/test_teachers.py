from typing import Any

import pytest
from pydantic import ValidationError

from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from trainer.teacher.options import TeacherOptions
from trainer.teacher.teachers import Teachers

ENDPOINT = {"url": "http://127.0.0.1:1/v1", "model": "m"}


def options(**fields: Any) -> TeacherOptions:
    return TeacherOptions.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, "none"),
        ({"kind": "llm", "endpoint": ENDPOINT}, "none"),
        ({"kind": "llm", "endpoint": ENDPOINT, "reference": "golden"}, "golden"),
        ({"kind": "hybrid", "endpoint": ENDPOINT}, "expert"),
    ],
)
def test_what_a_teacher_is_shown(fields: dict[str, Any], shown: str) -> None:
    assert options(**fields).shown == shown


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "llm"},
        {"reference": "golden"},
        {"kind": "hybrid", "endpoint": ENDPOINT, "reference": "none"},
        {"kind": "llm", "endpoint": ENDPOINT, "budget": {"cost": 1.0}},
        {"kind": "llm", "endpoint": {**ENDPOINT, "key": "secret"}},
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**fields)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "expert:corridor 1"),
        ({"kind": "llm", "endpoint": ENDPOINT}, "llm:m default/v1"),
        ({"kind": "hybrid", "endpoint": ENDPOINT, "calls": "combined"}, "llm:m default/v1"),
        ({"kind": "llm", "endpoint": ENDPOINT, "reference": "golden"}, "llm:m default/v1"),
    ],
)
async def test_a_recipes_teacher(store: TrajectoryStore, fields: dict[str, Any], name: str) -> None:
    teachers = Teachers(options(**fields), "after", store)
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url, EnvironmentClient(url) as client:
        teacher = await teachers.of(await client.info(), "reflected/corridor", "golden/corridor")
    assert teacher.name == name
    assert teachers.spending("reflected/corridor") is None
    await teachers.close()
