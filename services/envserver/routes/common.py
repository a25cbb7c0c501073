"""What every route module uses."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request

from services.envserver.service import Service

Offset = Annotated[int, Query(ge=0, description="how many to skip")]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many to answer at most")]

EVERYWHERE = ("unauthorized", "foreign_page", "foreign_host", "head_too_large", "invalid_request", "not_ready", "internal")
"""Problems that any route may answer."""
BODY = ("malformed_json", "body_too_large")
SESSION = ("session_not_found", "session_gone")
ENGINE = ("engine_lost", "timeout", "replay_diverged")


def service_of(request: Request) -> Service:
    """The application's service, once its environment is loaded. Raises ``not_ready``."""
    service: Service = request.app.state.service
    service.require_loaded()
    return service
