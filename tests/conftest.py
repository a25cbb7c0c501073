"""Settings of every test: examples of hypothesis have no deadline, because a busy machine is not a bug; shared fixtures."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("restep", deadline=None)
settings.load_profile("restep")

# A shell that starts the tests in the background leaves SIGINT ignored, and the processes under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.postgres"]
