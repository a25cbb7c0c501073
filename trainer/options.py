"""The base of every section of a recipe: unknown keys are refused, values never change after reading.

A misspelt option that is silently ignored is an experiment that was not run; so it is an error here.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A section of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)
