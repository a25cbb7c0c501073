"""Why a purchase earned what it did."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.envserver.routes.common import EVERYWHERE, SESSION, service_of
from services.http.boundary import declared
from services.http.wire import answer
from services.webshop.environment import WebShop
from services.webshop.purchase import Purchase


def reward_router(shop: WebShop) -> APIRouter:
    """``GET /v1/sessions/{session_id}/reward``."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

    @router.get(
        "/{session_id}/reward",
        response_model=Purchase,
        responses=declared(*EVERYWHERE, *SESSION, "nothing_bought"),
    )
    async def reward(request: Request, session_id: str) -> Response:
        """What was bought, and the parts of its reward; told after the purchase only, whoever asks."""
        session = await service_of(request).sessions.get(session_id)
        return answer(shop.purchase(session.key()))

    return router
