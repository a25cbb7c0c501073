"""``/docs``: a service's OpenAPI as a page to read and to try.

Its script and styles come from the service itself, so that it opens without a network, and every address in it is
relative, so that it opens behind a gateway's prefix as well.
"""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse

from shared.errors import RestepError

_PATH: Final = "/docs"
_FILES: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_NO_ICON: Final = "data:,"


def documentation() -> APIRouter:
    """The page and what it loads; none of it is in OpenAPI."""
    router = APIRouter(include_in_schema=False)
    script, styles, openapi = (f"{_PATH.removeprefix('/')}/{name}" for name in (*_FILES, "openapi.json"))

    @router.get(_PATH)
    async def page(request: Request) -> Response:
        return get_swagger_ui_html(
            openapi_url=openapi,
            title=str(request.app.title),
            swagger_js_url=script,
            swagger_css_url=styles,
            swagger_favicon_url=_NO_ICON,
        )

    @router.get(f"{_PATH}/openapi.json")
    async def document(request: Request) -> JSONResponse:
        """The same document, and that the service is one level above it, which behind a gateway is not the root."""
        return JSONResponse({**request.app.openapi(), "servers": [{"url": ".."}]})

    @router.get(f"{_PATH}/{{name}}")
    async def file(name: str) -> Response:
        if name not in _FILES:
            raise RestepError("route_not_found")
        content = await asyncio.to_thread((resources.files("fastapi_offline") / "static" / name).read_bytes)
        return Response(content, media_type=_FILES[name])

    return router
