"""``restep serve sciworld`` as a user runs it: sessions outlive their JVMs, and nothing outlives the server."""

from __future__ import annotations

import os
import signal

import httpx
import psutil
import pytest

from shared.client import EnvironmentClient
from shared.errors import RestepError
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVE = ["-m", "trainer.cli", "serve", "sciworld", "--port", "0", "--workers", "2"]
ACTIONS = ["open door to kitchen", "go to kitchen", "wait", "open cupboard", "look around", "fly", "inventory", "wait"]


async def test_sessions_live_on_when_every_jvm_is_killed() -> None:
    """The same episodes twice, the second time with the JVMs killed half-way: the same answers."""
    with ServerProcess(SERVE) as server:
        async with EnvironmentClient(server.url) as client:
            answers: list[list[tuple[str, float, bool, bool]]] = []
            for half_way in (False, True):
                episodes = [await client.open(f"grow-plant/{number}") for number in range(4)]
                for action in ACTIONS[:4]:
                    for episode in episodes:
                        await episode.step(action)
                if half_way:
                    for jvm in psutil.Process(server.process.pid).children():
                        os.kill(jvm.pid, signal.SIGKILL)
                last = [[await episode.step(action) for action in ACTIONS[4:]] for episode in episodes]
                answers.append([(step.observation, step.score, step.done, step.valid) for steps in last for step in steps])
                for episode in episodes:
                    await episode.close()
            assert answers[0] == answers[1]
        async with httpx.AsyncClient() as plain:
            assert "worker_restarts 2.0" in (await plain.get(f"{server.url}/metrics")).text
        jvms = psutil.Process(server.process.pid).children()
        assert len(jvms) == 2
        assert server.stop() == 0
        _, alive = psutil.wait_procs(jvms, timeout=60)
        assert not alive


async def test_the_routes_answer_for_the_real_engine() -> None:
    with ServerProcess(SERVE) as server:
        async with EnvironmentClient(server.url) as client:
            info = await client.info()
            assert info.name == "sciworld"
            assert len(await client.tasks(split="dev", type="boil")) == 7
            async with await client.open("boil/0", max_steps=3, include=["admissible_actions"]) as episode:
                assert episode.view.admissible_actions
                refused = await episode.step("reset task")
                assert (refused.seq, refused.valid, refused.done) == (1, False, False)
                await episode.step("wait")
                assert (await episode.step("wait")).truncated
                with pytest.raises(RestepError) as over:
                    await episode.step("wait")
                assert over.value.code == "episode_over"
            for task, options, code in [
                ("boil/30", {}, "unknown_task"),
                ("boil/0", {"simplification": "hard"}, "invalid_option"),
                ("test-conductivity/0", {"simplification": "noElectricalAction"}, "invalid_option"),
            ]:
                with pytest.raises(RestepError) as refusal:
                    await client.open(task, options=options)
                assert refusal.value.code == code
