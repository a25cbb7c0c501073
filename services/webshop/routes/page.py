"""The page on which a person shops an episode: files that talk to the same sessions as any other client.

They carry no secrets and are answered without a token; the browser runs nothing but them and talks to this server only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response

FOLDER: Final = Path(__file__).parents[1] / "page"
INDEX: Final = "index.html"
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_MEDIA_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_router() -> APIRouter:
    """``GET /`` and, below ``/page``, the files that it loads."""
    router = APIRouter(include_in_schema=False)
    for file in sorted(FOLDER.iterdir()):
        if file.suffix in _MEDIA_TYPES:
            _add(router, "/" if file.name == INDEX else f"/page/{file.name}", file)
    return router


def _add(router: APIRouter, path: str, file: Path) -> None:
    content, media_type = file.read_bytes(), _MEDIA_TYPES[file.suffix]

    @router.get(path)
    async def page() -> Response:  # pyright: ignore[reportUnusedFunction] - the router calls it
        return Response(content, headers=_HEADERS, media_type=media_type)
