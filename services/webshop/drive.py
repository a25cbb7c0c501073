"""Where a file shared on Google Drive is to be had.

Drive answers for a large file with a page that asks whether to download it unscanned; the form on that page leads to the
file. Its refusals (a quota that is used up, a file that is gone) are pages too.
"""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import Final

import httpx

from shared.download import ATTEMPTS
from shared.errors import RestepError

DRIVE: Final = "https://drive.usercontent.google.com"
_FORM: Final = "download-form"
_REASONS: Final = ("uc-error-caption", "uc-error-subcaption")
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)


def drive_address(file_id: str, *, drive: str = DRIVE, pause: float = 1.0) -> str:
    """The address that gives the file itself. It may be of use for some hours only.

    ``pause`` is in seconds, between tries. Raises ``download_failed``, with Drive's own words where it refuses.
    """
    url = f"{drive}/download?id={file_id}&export=download"
    attempt = 1
    while True:
        try:
            page = _page(url)
        except httpx.HTTPError as error:
            if attempt == ATTEMPTS or isinstance(error, (httpx.ConnectError, httpx.UnsupportedProtocol)):
                raise RestepError("download_failed", f"{url}: {str(error) or type(error).__name__}") from None
            time.sleep(pause * attempt)
            attempt += 1
        else:
            return url if page is None else _behind(page, url)


def _page(url: str) -> _Page | None:
    """What Drive shows instead of the file; None where it sends the file. Raises ``httpx.HTTPError``."""
    with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT) as answer:
        if answer.status_code >= 500 or answer.status_code == 429:
            raise httpx.RemoteProtocolError(f"the server answers {answer.status_code}")
        if "text/html" not in answer.headers.get("content-type", ""):
            return None
        answer.read()
        page = _Page()
        page.feed(answer.text)
        return page


def _behind(page: _Page, url: str) -> str:
    """Where the form of ``page`` leads."""
    if page.action is None:
        reason = " ".join(" ".join(page.reasons).split()) or "a page without a way to download"
        raise RestepError("download_failed", f"{url}: Google Drive answers: {reason}")
    return str(httpx.URL(page.action, params=page.fields))


class _Page(HTMLParser):
    """The form that leads to a file: where it sends what; or the reasons given for there being none."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.reasons: list[str] = []
        self._form = False
        self._reason = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the form, its hidden fields, and the beginning of a reason."""
        known = {name: value or "" for name, value in attrs}
        if tag == "form" and known.get("id") == _FORM:
            self.action, self._form = known.get("action"), True
        elif tag == "input" and self._form and known.get("type") == "hidden":
            self.fields[known.get("name", "")] = known.get("value", "")
        self._reason = tag == "title" or known.get("class") in _REASONS

    def handle_endtag(self, tag: str) -> None:
        """Note the end of the form and of a reason."""
        self._form = self._form and tag != "form"
        self._reason = False

    def handle_data(self, data: str) -> None:
        """Keep the words of a reason."""
        if self._reason:
            self.reasons.append(data)
