"""The size of an action, checked when it is known, whatever route it came by; and of what a session keeps.

A session's steps are limited by the protocol (:data:`shared.protocol.MAX_STEPS`).
"""

from __future__ import annotations

from typing import Final

from shared.errors import RestepError

MAX_ACTION_CHARS: Final = 4096
MAX_HISTORY_CHARS: Final = 4_000_000
"""Actions and observations that one session keeps. With so much of them no further step is taken."""


def check_action(action: str) -> None:
    """Raise ``action_too_large`` for an action longer than any engine's grammar needs."""
    if len(action) > MAX_ACTION_CHARS:
        raise RestepError("action_too_large", f"the action has {len(action)} characters, more than {MAX_ACTION_CHARS}")
