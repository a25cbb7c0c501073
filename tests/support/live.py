"""An application behind a real socket, in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette

from shared.serving import bind


@asynccontextmanager
async def live(app: Starlette, host: str = "127.0.0.1", port: int = 0, **options: Any) -> AsyncGenerator[str]:
    """Serve ``app`` for the time of the block, on a free port where none is given; yields its address.

    ``options`` are uvicorn's.
    """
    listener = bind(host, port)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, **options))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.01)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()
