"""A server that shares files as Google Drive does: large ones behind a page that asks first."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from tests.support.file_server import Files, file_server

_ASKING = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="{url}/download" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="{uuid}"></form></body></html>"""
_REFUSING = """<html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can't view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p></body></html>"""


def asked(drive_id: str) -> str:
    """The path that is asked for first."""
    return f"/download?id={drive_id}&export=download"


def share_large(files: Files, drive_id: str, content: bytes, uuid: str = "0b1c") -> str:
    """Share ``content`` behind a page; returns the path that the page's form leads to."""
    files.pages[asked(drive_id)] = _ASKING.format(url=files.url, id=drive_id, uuid=uuid).encode()
    path = f"{asked(drive_id)}&confirm=t&uuid={uuid}"
    files.content[path] = content
    return path


def refuse(files: Files, path: str) -> None:
    """Answer with the page of a quota that is used up."""
    files.pages[path] = _REFUSING.encode()


@contextmanager
def drive_server(small: Mapping[str, bytes], large: Mapping[str, bytes]) -> Generator[Files]:
    """Contents by id."""
    with file_server() as files:
        files.dated = True
        files.content |= {asked(drive_id): content for drive_id, content in small.items()}
        for drive_id, content in large.items():
            share_large(files, drive_id, content)
        yield files
