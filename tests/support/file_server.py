"""A real HTTP server for files, with the faults that downloads meet: cut connections, refusals, no ranges, changed files."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_DATE = "Tue, 05 Jul 2022 10:00:00 GMT"


@dataclass
class Files:
    """``content`` by path; ``pages`` too, sent as web pages.

    ``cuts`` are the bytes sent before the connection is cut, one for each answer in turn. While ``stalled`` is set, a cut
    answer waits instead of ending.
    """

    url: str = ""
    content: dict[str, bytes] = field(default_factory=dict[str, bytes])
    pages: dict[str, bytes] = field(default_factory=dict[str, bytes])
    dated: bool = False
    """Whether versions are told by date, as Google Drive does, and not by ETag."""
    cuts: list[int] = field(default_factory=list[int])
    statuses: list[int] = field(default_factory=list[int])
    ranges: bool = True
    stalled: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and Range header of each request."""


@contextmanager
def file_server() -> Generator[Files]:
    files = Files()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, files)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    files.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.stalled.clear()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, files: Files) -> None:
    asked = handler.headers.get("Range", "")
    files.requests.append((handler.path, asked))
    page = files.pages.get(handler.path)
    content = files.content.get(handler.path) if page is None else page
    status = files.statuses.pop(0) if files.statuses else 0
    if status or content is None:
        handler.send_error(status or 404)
        return
    version = _DATE if files.dated else f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    begin = 0
    if asked and files.ranges and handler.headers.get("If-Range") == version:
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    else:
        handler.send_response(200)
    handler.send_header("Last-Modified" if files.dated else "ETag", version)
    if page is not None:
        handler.send_header("Content-Type", "text/html; charset=utf-8")
    handler.send_header("Content-Length", str(len(content) - begin))
    handler.end_headers()
    rest = content[begin:]
    cut = files.cuts.pop(0) if files.cuts else len(rest)
    handler.wfile.write(rest[:cut])
    while cut < len(rest) and files.stalled.is_set():
        time.sleep(0.02)
    if cut < len(rest):
        handler.close_connection = True
