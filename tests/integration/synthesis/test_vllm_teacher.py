"""The language-model teacher on a real vLLM: a random model says nothing true, but what it says has the form asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.protocol import TaskInfo
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.scripted import Scripted
from tests.support.tiny_model import tiny_checkpoint
from tests.support.vllm_server import BASE_NAME, vllm_server
from trainer.judge.comparison import DECISIONS
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig
from trainer.teacher.options import TeacherOptions
from trainer.teacher.teachers import Teachers

PYTHON = os.environ.get("RESTEP_VLLM_PYTHON")
pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="needs vLLM: make vllm, RESTEP_VLLM_PYTHON"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
CONTEXT = 24_576
WHOLE_PROMPTS = f"--no-enable-chunked-prefill --max-num-batched-tokens {CONTEXT}"
"""The build for processors dies of a seeded request whose prompt is read in parts (vLLM 0.32)."""
TASKS = [TaskInfo(id=f"lamp/{size}", split="train", type="lamp") for size in (3, 5)]


def teacher_options(url: str, calls: str) -> TeacherOptions:
    endpoint = {
        "url": url,
        "model": BASE_NAME,
        "temperature": 1.0,
        "max_tokens": 8000,
        "timeout": 120.0,
        "patience": 0.0,
        "schema_lengths": True,  # or a random model would hardly ever end a text
    }
    return TeacherOptions.model_validate({"kind": "llm", "calls": calls, "endpoint": endpoint})


async def test_structured_output_of_a_random_model_is_always_read(tmp_path: Path) -> None:
    assert PYTHON is not None
    checkpoint = tiny_checkpoint(tmp_path / "tiny", context=CONTEXT, head=32)
    settings = AgentSettings(
        checkpoint=str(checkpoint), backend="vllm", kv_mib=256, max_context=CONTEXT, vllm_args=WHOLE_PROMPTS
    )
    config = ReflectConfig(per_episode=1.0)
    async with (
        vllm_server(Path(PYTHON), checkpoint, settings, tmp_path / "vllm.log") as url,
        live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as corridor,
        EnvironmentClient(corridor) as environment,
    ):
        for calls in ("two", "combined"):
            with TrajectoryStore(tmp_path / f"{calls}.db") as store:
                teachers = Teachers(teacher_options(url, calls), "after", store)
                teacher = await teachers.of(await environment.info(), "reflected", "golden")
                student = Scripted("go to room 1", "wait", "go to room 2")
                done = await collect_reflected(
                    "reflected", TASKS, environment, student, teacher, store, EpisodeConfig(max_steps=5), config
                )
                spent = teachers.spending("reflected")
                await teachers.close()
                steps = [step for one in store.trajectories("reflected") for step in one.steps]
            assert (done.finished, done.failed) == (len(TASKS), 0)
            assert spent is not None
            assert (spent.malformed, spent.unanswered, spent.failures) == (0, 0, {})
            assert spent.completion_tokens > 10 * spent.requests
            judged = [step.verdict for step in steps if step.role == "student"]
            assert judged
            assert all(verdict is not None and verdict.decision in DECISIONS for verdict in judged)
            assert {verdict.judge for verdict in judged if verdict} == {f"llm:{BASE_NAME} default/v1"}
            # What it writes as an action is noise, which the environment's expert rejects.
            written = [step for step in steps if step.role == "teacher"]
            assert {step.provenance for step in written} <= {"error"}
