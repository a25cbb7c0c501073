"""Charts as a person sees them."""

from __future__ import annotations

import re

from trainer.charts import line_chart


def test_twelve_lines_are_told_apart() -> None:
    drawn = line_chart({f"arm {number}": [(1, number), (2, number)] for number in range(12)}, x="step", y="loss")
    strokes = re.findall(r'<path d="[^"]*" clip-path="[^"]*" style="([^"]*)"', drawn)
    lines = [stroke for stroke in strokes if "#e6e9ef" not in stroke]
    assert len(lines) == 12
    assert len(set(lines)) == 12
