"""Chat messages with a flag on each, for trainers that mask whole messages: axolotl, ms-swift and LLaMA-Factory v1.

These encode the text themselves. A dialogue ends with its last trained answer: what follows could train nothing,
ms-swift trains the stop token of the last answer whatever its flag says, and axolotl warns of such data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal

from shared.errors import RestepError
from shared.trajectory import Trajectory
from trainer.chat_messages import ChatMessage, chat_messages
from trainer.exports.rows import Exported, Row

Library = Literal["axolotl", "ms-swift", "llama-factory"]


def flagged_rows(trajectories: Iterable[Trajectory], library: Library, count: Exported) -> Iterator[Row]:
    """Rows ``{task_id, run, id, messages}`` as a library reads them; ``count`` is kept up to date.

    Raises ``data_not_written`` for a weight that the library's flag cannot say.
    """
    for trajectory in trajectories:
        messages = [(message, _weight(trajectory, message, library)) for message in chat_messages(trajectory)]
        while messages and messages[-1][1] == 0:
            messages.pop()
        if not messages:
            count.untrained += 1
            continue
        count.written += 1
        yield {
            "task_id": trajectory.task.id,
            "run": trajectory.run,
            "id": trajectory.id,
            "messages": [_FLAGS[library](message, weight) for message, weight in messages],
        }


def _weight(trajectory: Trajectory, message: ChatMessage, library: Library) -> float:
    """The weight that all steps of a message have; 0 for what is no answer."""
    weights = {step.loss for step in message.steps} or {0.0}
    step = message.steps[-1].index if message.steps else -1
    if len(weights) > 1:
        detail = f"{trajectory.task.id}, step {step}: its answer is trained in part, which {library} cannot; --format trl can"
        raise RestepError("data_not_written", detail)
    (weight,) = weights
    if library != "llama-factory" and weight not in (0.0, 1.0):
        detail = f"{trajectory.task.id}, step {step}: {library} trains a message or not; it has no weight of {weight:g}"
        raise RestepError("data_not_written", detail)
    return weight


def _axolotl(message: ChatMessage, weight: float) -> Row:
    return {"role": message.role, "content": message.text, "train": weight > 0}


def _ms_swift(message: ChatMessage, weight: float) -> Row:
    return {"role": message.role, "content": message.text, "loss": weight > 0}


def _llama_factory(message: ChatMessage, weight: float) -> Row:
    return {"role": message.role, "content": [{"type": "text", "value": message.text}], "loss_weight": weight}


_FLAGS: Final[Mapping[Library, Callable[[ChatMessage, float], Row]]] = {
    "axolotl": _axolotl,
    "ms-swift": _ms_swift,
    "llama-factory": _llama_factory,
}
