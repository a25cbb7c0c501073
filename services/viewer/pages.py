"""HTML from templates: whatever an agent, an engine or a user wrote is escaped, and no page loads anything from elsewhere.

A value that a template misses is an error, not a blank.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from shared.errors import Problem

HTML: Final = "text/html; charset=utf-8"


class Pages:
    """The templates of this package. ``prefix`` leads every link, where a gateway serves the pages under a path."""

    def __init__(self, prefix: str, *, login: bool) -> None:
        self.prefix = prefix
        self._login = login
        self.style = (files("services.viewer") / "static" / "style.css").read_bytes()
        self._environment = Environment(
            loader=PackageLoader("services.viewer"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(percent=_percent, signed=_signed, moment=_moment)

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        """``templates/<template>.html.j2`` with its values."""
        found = self._environment.get_template(f"{template}.html.j2")
        html = found.render(**values, prefix=self.prefix, login=self._login)
        return Response(html.encode("utf-8", "replace"), status, media_type=HTML)

    def problem(self, problem: Problem) -> Response:
        """A failure, for people."""
        return self.page("problem", problem.status, problem=problem)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:z.1f}"


def _signed(fraction: float) -> str:
    return f"{100 * fraction:+z.1f}"


def _moment(iso: str) -> str:
    """``2026-01-31 12:00`` of an ISO 8601 time; what is none stays as it is."""
    return iso[:16].replace("T", " ") if len(iso) > 16 and iso[10:11] == "T" else iso
