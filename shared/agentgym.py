"""What AgentGym (arXiv 2406.04151) counts tasks by: its numbers leave out some of a benchmark's task types.

Its routes (``services/envserver/compat``) and its published trajectories name a task by such a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "sciworld": frozenset(
        {
            "grow-plant",
            "grow-fruit",
            "inclined-plane-determine-angle",
            "inclined-plane-friction-named-surfaces",
            "inclined-plane-friction-unnamed-surfaces",
            "mendelian-genetics-known-plant",
            "mendelian-genetics-unknown-plant",
        }
    )
}
"""Task types without a number, by environment; all others are numbered from 0 in the benchmark's order."""
