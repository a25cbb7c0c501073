"""Which slot holds the keys and values of which ids, so that the next turn of an episode computes only what is new.

A slot is leased to a running sequence and remembers its ids afterwards, until it is the longest unused one when
another sequence needs room. Pure bookkeeping: the tensors are :class:`services.agent.backends.ragged.KvPool`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WORTH_COPYING: Final = 16


@dataclass(frozen=True, slots=True)
class Lease:
    """A slot whose first ``reused`` tokens need no computing, once they are copied from ``source`` where that is set."""

    slot: int
    reused: int
    source: int | None = None


class SlotTable:
    """The slots of one pool. Used by one thread."""

    def __init__(self, slots: int) -> None:
        self._free = list(range(slots - 1, -1, -1))
        self._remembered: OrderedDict[int, NDArray[np.int64]] = OrderedDict()  # longest unused first

    @property
    def available(self) -> int:
        """Slots that can be leased now."""
        return len(self._free) + len(self._remembered)

    @property
    def remembered(self) -> int:
        """Slots that hold a finished sequence."""
        return len(self._remembered)

    def acquire(self, prompt: Sequence[int]) -> Lease:
        """Lease a slot for a prompt, with as much of it as any slot remembers.

        The last token is never reused, because its logits are needed. Requires :attr:`available` to be positive.
        """
        best, common = self._best(np.asarray(prompt, dtype=np.int64)[:-1])
        if best is not None and common == len(self._remembered[best]):
            del self._remembered[best]  # the sequence goes on where it lies
            return Lease(best, common)
        if best is None or common < _WORTH_COPYING:
            return Lease(self._vacate(), 0)
        self._remembered.move_to_end(best)
        slot = self._vacate()
        return Lease(slot, common, None if slot == best else best)

    def release(self, slot: int, ids: Sequence[int]) -> None:
        """End a lease; the slot remembers the ids whose keys and values it holds, or is free when there are none."""
        if ids:
            self._remembered[slot] = np.asarray(ids, dtype=np.int64)
        else:
            self._free.append(slot)

    def _vacate(self) -> int:
        return self._free.pop() if self._free else self._remembered.popitem(last=False)[0]

    def _best(self, prompt: NDArray[np.int64]) -> tuple[int | None, int]:
        best, longest = None, 0
        for slot, ids in self._remembered.items():
            size = min(len(ids), len(prompt))
            if size <= longest or ids[longest] != prompt[longest]:
                continue
            differ = np.flatnonzero(ids[:size] != prompt[:size])
            common = int(differ[0]) if len(differ) else size
            if common > longest:
                best, longest = slot, common
        return best, longest
