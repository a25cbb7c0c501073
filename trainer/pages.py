"""Pages for people: templates of this package filled into one HTML file that needs nothing from outside.

Whatever an agent, an engine or a user wrote is escaped; a value that a template misses is an error, not a blank.
"""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def render_page(template: str, **values: object) -> str:
    """``templates/<template>.html.j2`` with its values."""
    environment = Environment(
        loader=PackageLoader("trainer"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(f"{template}.html.j2").render(**values)
