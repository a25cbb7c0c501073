"""Request heads of bounded size: uvicorn's parser takes a request line and headers of any length, and keeps them all.

What is longer is answered with 431 and the connection closed, whether it comes at once or drop by drop.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import PROBLEM_MEDIA_TYPE, RestepError

MAX_HEAD_BYTES: Final = 32 << 10
"""Of the request line and all headers together."""
_PER_HEADER: Final = len(": \r\n")
_MAX_FRAMING_BYTES: Final = 1 << 20
"""Of what comes with a body and is none of it: the lengths of its chunks, headers after them."""


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's protocol, which counts what a request makes it keep beside the body."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_request = self._in_head = self._began_now = self._refused = False
        self._beside_body = 0

    def data_received(self, data: bytes) -> None:
        """Parse, and count what has come of a request that has not ended."""
        if self._refused:
            return
        super().data_received(data)
        if self._began_now:
            self._beside_body = 0  # a packet may begin with what belongs to the request before
        elif self._in_request:
            self._beside_body += len(data)
            if self._beside_body > (MAX_HEAD_BYTES if self._in_head else _MAX_FRAMING_BYTES):
                self._refuse()
        self._began_now = False

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_request = self._in_head = self._began_now = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head has ended. Raises into the parser, which then ends the connection, for one that is too long."""
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) + _PER_HEADER for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse()
            raise ValueError("the head is too long")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Bodies are limited elsewhere."""
        self._beside_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has ended."""
        self._in_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read is answered, unless it was refused already."""
        if not self._refused:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        problem = RestepError("head_too_large", f"a request line and headers may have at most {MAX_HEAD_BYTES} bytes").problem()
        body = orjson.dumps(problem.model_dump(exclude_none=True))
        status = HTTPStatus(problem.status)
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {PROBLEM_MEDIA_TYPE}\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()
