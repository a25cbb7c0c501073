"""Line charts as inline SVG for the report: drawn by matplotlib, text kept as text, no file and no network needed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Series = Mapping[str, Sequence[tuple[float, float]]]

_COLOURS: Final = ("#2457c5", "#1a7f4b", "#b35c00", "#8a3ffc", "#d12771", "#5d6675")
_STYLES: Final = ("-", ":", "-.")
"""Of the lines that have the first, second and third turn of the colours."""


def line_chart(
    series: Series, *, x: str, y: str, dashed: Sequence[str] = (), colours: Mapping[str, str] = MappingProxyType({})
) -> str:
    """An SVG element with one line for each name in ``series``; its points are ``(x, y)``, x whole numbers.

    ``dashed`` names are dashed; those that ``colours`` lacks get colours in turn, and up to 18 lines are all told apart.
    """
    figure: Any = Figure(figsize=(6.0, 3.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(series.items()):
        turn, place = divmod(number, len(_COLOURS))
        style = "--" if name in dashed else _STYLES[turn % len(_STYLES)]
        colour = colours.get(name) or _COLOURS[place]
        marker = "o" if len(points) == 1 else ""  # one point is no line
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        axes.plot(xs, ys, style, color=colour, label=name, linewidth=1.6, marker=marker, markersize=4)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#e6e9ef")
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        axes.legend(frameon=False, fontsize=8, ncols=1 + (len(series) > len(_COLOURS)))
    return _svg(figure)


def _svg(figure: Any) -> str:
    page = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "restep", "font.family": "sans-serif"}):
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None})
    text = page.getvalue()
    return text[text.index("<svg") :]
