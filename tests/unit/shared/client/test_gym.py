from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from shared.client import SyncEnvironmentClient
from shared.client.gym import AnyText, RestepEnv, RestepVectorEnv
from shared.errors import RestepError
from tests.support.process import CellarProcess


@pytest.fixture
def client(server: CellarProcess) -> Iterator[SyncEnvironmentClient]:
    with SyncEnvironmentClient(server.url) as client:
        yield client


def refused(code: str) -> pytest.RaisesExc[RestepError]:
    return pytest.RaisesExc(RestepError, check=lambda error: error.code == code)


def test_texts_of_any_characters_are_in_the_space() -> None:
    space = AnyText(10)
    space.seed(1)
    assert all(space.sample() in space for _ in range(50))
    assert "ü\n☃" in space
    assert "" in space
    assert "x" * 11 not in space
    assert 3 not in space


def test_gymnasium_finds_nothing_to_complain_about(server: CellarProcess) -> None:
    environment = RestepEnv(server.url, render_mode="ansi")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(environment, skip_render_check=True)
    finally:
        environment.close()


def test_an_episode(client: SyncEnvironmentClient) -> None:
    environment = RestepEnv(client, admissible_actions=True, render_mode="ansi")
    assert environment.render() is None
    with refused("invalid_request"):
        environment.step("wait")
    observation, info = environment.reset(seed=1, options={"task_id": "cellar/2"})
    assert observation.startswith("Room 0.")
    assert (info["task_id"], info["goal"], info["steps"]) == ("cellar/2", "Find the key and open the door.", 0)
    assert "go east" in info["admissible_actions"]
    assert environment.render() == observation
    rewards = 0.0
    for action in ["go east", "go east", "take key", "go west", "go west"]:
        observation, reward, terminated, truncated, info = environment.step(action)
        rewards += reward
        assert (terminated, truncated) == (False, False)
        assert environment.render() == f"> {action}\n{observation}"
    observation, reward, terminated, truncated, info = environment.step("open door")
    assert (rewards + reward, terminated, truncated, info["success"], info["score"]) == (1.0, True, False, True, 1.0)
    with refused("episode_over"):
        environment.step("wait")
    environment.close()
    environment.close()
    assert client.info().sessions == 0


def test_the_seed_decides_task_and_episode(client: SyncEnvironmentClient) -> None:
    environment = RestepEnv(client, max_steps=1)
    first = [environment.reset(seed=3), environment.reset(), environment.reset()]
    assert [environment.reset(seed=3), environment.reset(), environment.reset()] == first
    assert len({info["task_id"] for _, info in (environment.reset(seed=seed) for seed in range(20))}) > 3
    assert environment.step("wait")[3]
    environment.close()


def test_wrong_settings_are_refused(client: SyncEnvironmentClient) -> None:
    with refused("unknown_split"):
        RestepEnv(client, split="nonsense")
    with refused("unreachable"):
        RestepEnv("nonsense")
    environment = RestepEnv(client)
    with refused("invalid_option"):
        environment.reset(options={"task": "cellar/1"})
    with refused("unknown_task"):
        environment.reset(options={"task_id": "cellar/99"})


def _play(environment: Any, actions: list[list[str]]) -> list[Any]:
    observations, infos = environment.reset(seed=11)
    record: list[Any] = [(observations, _plain(infos))]
    for one in actions:
        observations, rewards, terminations, truncations, infos = environment.step(tuple(one))
        assert (rewards.dtype, terminations.dtype, truncations.dtype) == (np.float64, np.bool_, np.bool_)
        record.append((observations, rewards.tolist(), terminations.tolist(), truncations.tolist(), _plain(infos)))
    return record


def _plain(infos: dict[str, Any]) -> dict[str, Any]:
    return {key: value.tolist() for key, value in infos.items()}


def test_the_vector_is_gymnasiums_own_of_single_ones(client: SyncEnvironmentClient) -> None:
    generator = np.random.default_rng(5)
    words = ["go east", "go west", "take key", "open door", "drink", "wait", "gibberish"]
    actions = [list(generator.choice(words, 4)) for _ in range(24)]

    def make() -> gymnasium.Env[str, str]:
        return RestepEnv(client, split="test", max_steps=5, admissible_actions=True)

    singles = SyncVectorEnv([make] * 4, autoreset_mode=AutoresetMode.NEXT_STEP)
    vector = RestepVectorEnv(client, 4, split="test", max_steps=5, admissible_actions=True)
    assert vector.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert vector.observation_space == singles.observation_space
    expected = _play(singles, actions)
    played = _play(vector, actions)
    assert played == expected
    ends = [any(terminated) or any(truncated) for _, _, terminated, truncated, _ in played[1:]]
    assert sum(ends) > 3
    assert vector.observation_space.contains(played[-1][0])
    singles.close()
    vector.close()
    assert client.info().sessions == 0


def test_a_vector_is_used_rightly(client: SyncEnvironmentClient) -> None:
    vector = RestepVectorEnv(client, 2)
    with refused("invalid_request"):
        vector.step(["wait", "wait"])
    with refused("invalid_request"):
        vector.reset(seed=[1, 2, 3])
    observations, _ = vector.reset(seed=[1, None])
    assert len(observations) == 2
    with refused("invalid_request"):
        vector.step(["wait"])
    with refused("action_too_large"):
        vector.step(["wait", "x" * 5000])
    vector.close()


def test_without_gymnasium_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["gymnasium"] = None
from shared.errors import RestepError
try:
    import shared.client.gym
except RestepError as error:
    sys.stdout.write(str(error))
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.startswith("missing_extra: ")
    assert "restep[gym]" in output
