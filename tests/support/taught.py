"""A collection under a language model as teacher, as a process: ``python -m tests.support.taught SERVER MODEL STORE``.

A fixed player in the corridor, one episode after the other, so that the teacher is asked one question at a time. Prints
the number of finished units; a failure is one line and exit code 1, as of the ``restep`` command.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.collector import LINES
from tests.support.run_plan import RUN
from tests.support.scripted import Scripted
from trainer.collection import Collected, CollectionConfig
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.options import EndpointOptions, TeacherOptions
from trainer.teacher.teachers import Teachers

UNITS = 4


async def collect_taught(server: str, model: str, path: str) -> Collected:
    """Everything there is to collect: ``UNITS`` episodes."""
    options = TeacherOptions(kind="llm", endpoint=EndpointOptions(url=model, model="scripted", patience=5.0))
    config = ReflectConfig(collection=CollectionConfig(concurrency=1))
    async with AsyncExitStack() as stack:
        store = stack.enter_context(TrajectoryStore(path))
        environment = await stack.enter_async_context(EnvironmentClient(server))
        tasks = await select_tasks(environment, TaskSelection(split="train", limit=UNITS))
        teachers = Teachers(options, config.judge, store)
        stack.push_async_callback(teachers.close)
        teacher = await teachers.of(await environment.info(), RUN, "golden")
        episode = EpisodeConfig(max_steps=9)
        return await collect_reflected(RUN, tasks, environment, Scripted(*LINES), teacher, store, episode, config)


def main(server: str, model: str, path: str) -> int:
    """Returns the exit code."""
    try:
        done = asyncio.run(collect_taught(server, model, path))
    except RestepError as error:
        sys.stderr.write(f"restep: {error.detail} [{error.code}]\n")
        return 1
    sys.stdout.write(f"{done.found + done.finished}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
