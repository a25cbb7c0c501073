"""Line charts as inline SVG for the report: drawn by matplotlib, text kept as text, no file and no network needed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

Series = Mapping[str, Sequence[tuple[float, float]]]

_COLOURS: Final = ("#2457c5", "#1a7f4b", "#b35c00", "#8a3ffc", "#d12771", "#5d6675")


def line_chart(series: Series, *, x: str, y: str, dashed: Sequence[str] = ()) -> str:
    """An SVG element with one line for each name in ``series`` (points are ``(x, y)``); ``dashed`` names are dashed."""
    figure: Any = Figure(figsize=(6.0, 3.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(series.items()):
        style = "--" if name in dashed else "-"
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot([p[0] for p in points], [p[1] for p in points], style, color=colour, label=name, linewidth=1.6)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#e6e9ef")
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def _svg(figure: Any) -> str:
    page = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "restep", "font.family": "sans-serif"}):
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None})
    text = page.getvalue()
    return text[text.index("<svg") :]
