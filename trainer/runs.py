"""A run holds episodes of one kind: before it is continued, what it already holds is compared with what would be added.

Figures over a run that two engines, protocols or checkpoints went into would be figures of nothing.
"""

from __future__ import annotations

import asyncio

from shared.errors import RestepError
from shared.protocol import EnvironmentInfo
from shared.react import Layout, prompt_version, system_prompt
from shared.store import TrajectoryStore
from shared.trajectory import Role, Trajectory
from trainer.rollout import EpisodeConfig


async def check_run(
    store: TrajectoryStore, run: str, info: EnvironmentInfo, config: EpisodeConfig, layout: Layout, role: Role, author: str
) -> None:
    """Raise ``invalid_recipe`` when ``run`` holds an episode of another environment, protocol or author of ``role``."""
    present = await asyncio.to_thread(lambda: next(iter(store.trajectories(run)), None))
    if present is None:
        return
    for what, held, wanted in _differences(present, info, config, layout, role, author):
        if held != wanted:
            detail = f"run {run!r} was played with {what} {held!r}, not {wanted!r}: continue it so, or take another run name"
            raise RestepError("invalid_recipe", detail)


def _differences(
    present: Trajectory, info: EnvironmentInfo, config: EpisodeConfig, layout: Layout, role: Role, author: str
) -> list[tuple[str, object, object]]:
    held = present.protocol
    return [
        ("environment", present.environment.name, info.name),
        ("engine", present.environment.engine_version, info.engine_version),
        ("data", present.environment.data_version, info.data_version),
        ("step limit", held.max_steps, config.max_steps or info.max_steps),
        ("options", {name: held.options.get(name) for name in config.options}, config.options),
        ("environment seed", present.seed, config.seed),
        ("prompt", held.prompt_version, prompt_version(layout)),
        ("instruction", held.system, system_prompt(info.instruction)),
        ("author", next((step.author for step in present.steps if step.role == role), author), author),
    ]
