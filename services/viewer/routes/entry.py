"""The way in: the form that takes the token, the way out, and the style that both need."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.http.boundary import declared
from services.viewer.login import COOKIE, SECONDS, Login, local_path
from services.viewer.routes.common import EVERYWHERE, PAGE, pages_of
from services.viewer.service import ViewerService

router = APIRouter(tags=["entry"])

_FORM: Final = {
    "requestBody": {
        "required": False,  # where no token is wanted, whoever comes is let in
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": {"token": {"type": "string"}, "next": {"type": "string"}}}
            }
        },
    }
}
_AWAY: Final[dict[int | str, dict[str, Any]]] = {303: {"description": "Let in, or out"}}


@router.get("/login", response_class=Response, responses={**PAGE, **declared(*EVERYWHERE)})
async def form(request: Request, next: Annotated[str, Query(description="where to go then")] = "/") -> Response:
    """The form."""
    return pages_of(request).page("login", next=local_path(next), refused=False)


@router.post(
    "/login",
    status_code=303,
    response_class=Response,
    responses={**_AWAY, **declared(*EVERYWHERE, "body_too_large")},
    openapi_extra=_FORM,
)
async def let_in(request: Request) -> Response:
    """Answer the token with a cookie. A wrong one shows the form again."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    token, back = fields.get("token", [""])[0], local_path(fields.get("next", ["/"])[0])
    login: Login | None = request.app.state.login
    service: ViewerService = request.app.state.service
    pages = pages_of(request)
    cookie = None if login is None else login.cookie(token)
    if login is not None and cookie is None:
        service.logins_refused += 1
        return pages.page("login", HTTPStatus.UNAUTHORIZED, next=back, refused=True)
    response = RedirectResponse(pages.prefix + back, HTTPStatus.SEE_OTHER)
    if cookie is not None:
        service.logins += 1
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=SECONDS,
            path=pages.prefix or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return response


@router.post("/logout", status_code=303, response_class=Response, responses=_AWAY)
async def let_out(request: Request) -> Response:
    """Take the cookie back."""
    prefix = pages_of(request).prefix
    response = RedirectResponse(f"{prefix}/login", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE, path=prefix or "/")
    return response


@router.get("/static/style.css", response_class=Response, responses={200: {"content": {"text/css": {}}}})
async def style(request: Request) -> Response:
    """How the pages look."""
    return Response(pages_of(request).style, media_type="text/css", headers={"Cache-Control": "max-age=300"})
