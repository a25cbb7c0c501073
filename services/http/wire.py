"""JSON in and out: one pydantic pass over the raw bytes each way, and what OpenAPI must be told because of it.

FastAPI would parse, validate, copy and encode in four passes; at thousands of steps a second that is the cost of a step.
"""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from services.http.problems import from_validation
from shared.errors import Problem

M = TypeVar("M", bound=BaseModel)

_REFERENCE = "#/components/schemas/{model}"


async def read(request: Request, model: type[M], *, empty: bytes = b"") -> M:
    """The body as a model; ``empty`` stands for a missing one. Raises ``malformed_json``, ``invalid_request``.

    Strict, as OpenAPI says it: neither a text nor ``true`` is taken for a number.
    """
    try:
        return model.model_validate_json(await request.body() or empty, strict=True)
    except ValidationError as error:
        raise from_validation(error) from None


def answer(model: BaseModel, status: int = 200) -> Response:
    """A model as the response."""
    return Response(model.__pydantic_serializer__.to_json(model), status, media_type="application/json")


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """``openapi_extra`` for a route whose body is read by :func:`read`."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI, *read_by_hand: type[BaseModel]) -> None:
    """Let ``app.openapi`` include the models that are read by hand, and the problem document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, definitions = models_json_schema(
                [(model, "validation") for model in (*read_by_hand, Problem)], ref_template=_REFERENCE
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in definitions["$defs"].items():
                schemas.setdefault(name, schema)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi
