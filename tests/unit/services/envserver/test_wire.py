"""OpenAPI: what a client's author reads is what the server does."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from services.envserver.app import create_app
from shared import protocol
from shared.errors import ERRORS
from tests.support.cellar import Cellar


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Cellar()).openapi()


def references(node: object) -> Generator[str]:
    if isinstance(node, dict):
        for key, value in node.items():  # pyright: ignore[reportUnknownVariableType]
            if key == "$ref":
                yield str(value)  # pyright: ignore[reportUnknownArgumentType]
            yield from references(value)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(node, list):
        for value in node:  # pyright: ignore[reportUnknownVariableType]
            yield from references(value)  # pyright: ignore[reportUnknownArgumentType]


def test_every_route_of_the_protocol_is_there(document: dict[str, Any]) -> None:
    native = ("/v1/", "/healthz", "/readyz", "/metrics")
    routes = {(method, path) for path, item in document["paths"].items() for method in item if path.startswith(native)}
    assert routes == {
        ("get", "/v1/environment"),
        ("get", "/v1/tasks"),
        ("put", "/v1/sessions/{session_id}"),
        ("post", "/v1/sessions"),
        ("get", "/v1/sessions"),
        ("get", "/v1/sessions/{session_id}"),
        ("delete", "/v1/sessions/{session_id}"),
        ("post", "/v1/sessions/{session_id}/steps"),
        ("post", "/v1/sessions/{session_id}/fork"),
        ("get", "/v1/sessions/{session_id}/expert"),
        ("post", "/v1/steps"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    found = set(references(document))
    assert found
    assert all(reference.rpartition("/")[2] in schemas for reference in found)


def test_bodies_are_declared_with_examples(document: dict[str, Any]) -> None:
    for method, path in (("put", "/v1/sessions/{session_id}"), ("post", "/v1/sessions/{session_id}/steps")):
        schema = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
        assert document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"]


def test_every_example_of_a_body_is_one(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    given = {name: schema["examples"] for name, schema in schemas.items() if "examples" in schema}
    assert {"CreateSession", "CreateNamedSession", "StepRequest", "BatchStep"} <= set(given)
    for name, examples in given.items():
        for example in examples:
            getattr(protocol, name).model_validate(example)


def test_every_client_error_is_declared_as_a_problem(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                assert status < "400" or list(response["content"]) == ["application/problem+json"], (method, path, status)


def test_problems_are_declared_by_code(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/sessions/{session_id}/steps"]["post"]["responses"]
    assert {"200", "400", "401", "404", "409", "410", "413", "422", "429", "500", "503", "504"} <= set(responses)
    conflict = responses["409"]["content"]["application/problem+json"]
    assert {"step_conflict", "step_gap", "episode_over", "history_full"} == set(conflict["examples"])
    assert conflict["examples"]["step_gap"]["value"]["status"] == ERRORS["step_gap"].status
    assert "Retry-After" in responses["429"]["headers"]
