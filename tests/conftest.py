"""Settings of every test: examples of hypothesis have no deadline, because a busy machine is not a bug."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("restep", deadline=None)
settings.load_profile("restep")
