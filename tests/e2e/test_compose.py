"""The whole system in containers, on an engine of the tests' own.

Nothing is pulled: the base image comes from debootstrap, and PostgreSQL, Envoy and Prometheus from stand-ins
(tests/support/images) under the names that compose.yaml has. Grafana has none and is not started. Images and build steps
are kept in ``RESTEP_CI_CACHE``, where a second run on a machine finds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.client import EnvironmentClient
from tests.e2e.conftest import SMALL
from tests.support.compose_stack import Stack, eventually
from tests.support.docker_engine import Docker, NoEngine, engine, obstacle
from tests.support.docker_images import CACHE, build
from tests.support.observability import alert_expressions, dashboard_expressions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

EPISODES: dict[str, dict[str, Any]] = {
    "alfworld": {"split": "embedded_unseen", "index": 0},
    "webshop": {"split": "test", "index": 0},
    "sciworld": {"task_id": "find-plant/150", "options": {"simplification": "easy"}},
}
COLLECT = (
    "name=team",
    *(f"environments.{name}.url=http://gateway:8000/{name}" for name in EPISODES),
    "environments.sciworld.tasks.per_type=12",
    "environments.alfworld.tasks.per_type=6",
    "environments.webshop.tasks.limit=20",
)
UNITS = 4 * 12 + 6 * 6 + 20
"""Four task types of ScienceWorld, six of ALFWorld."""


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    if (why := obstacle()) is not None:
        pytest.skip(f"no Docker engine: {why}")
    try:
        with engine(CACHE / "docker") as docker:
            yield docker
    except NoEngine as error:
        pytest.skip(f"no Docker engine: {error}")


@pytest.fixture(scope="module")
def stack(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything built, and the stack up with two replicas of ScienceWorld."""
    folder = tmp_path_factory.mktemp("checkout")
    build(docker, folder)
    stack = Stack(docker, folder)
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "300", "--scale", "sciworld=2")
    yield stack
    stack.compose("--profile", "*", "down", "--volumes", "--timeout", "5")


def settings(*given: str) -> list[str]:
    return [part for setting in given for part in ("--set", setting)]


def test_containers_run_confined(docker: Docker, stack: Stack) -> None:
    ids = docker("ps", "--quiet").split()
    assert len(ids) == 7
    for one in json.loads(docker("inspect", *ids)):
        host, name = one["HostConfig"], one["Name"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert host["Memory"] > 0, name
        assert one["Config"]["User"] not in ("", "0", "root"), name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        for bindings in host["PortBindings"].values():
            assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"], name
    assert "ModuleNotFoundError" in stack.python(
        "alfworld", "try:\n import torch\nexcept ImportError as e: print(type(e).__name__)"
    )


@pytest.mark.parametrize("environment", EPISODES)
def test_a_person_with_curl_wins_an_episode(stack: Stack, environment: str) -> None:
    with httpx.Client(base_url=f"{stack.url}/{environment}", timeout=120) as http:
        created = http.post("/v1/sessions", json=EPISODES[environment])
        assert created.status_code == 201, created.text
        session = f"/v1/sessions/{created.json()['session_id']}"
        result: dict[str, Any] = {"done": False}
        seq = 0
        while not result["done"]:
            action = http.get(f"{session}/expert").json()["actions"][0]
            seq += 1
            answer = http.post(f"{session}/steps", json={"seq": seq, "action": action})
            assert answer.status_code == 200, answer.text
            result = answer.json()
        assert result["success"], result
        assert http.delete(session).status_code == 204


async def test_our_client_plays_on_both_replicas(stack: Stack) -> None:
    count = "import json, urllib.request as u; print(json.load(u.urlopen('http://127.0.0.1:8003/v1/sessions'))['total'])"
    async with EnvironmentClient(f"{stack.url}/sciworld") as client:
        episodes = [await client.open(split="dev", index=index) for index in range(8)]
        ids = [episode.session_id for episode in episodes]
        held = [int(stack.python("sciworld", count, index=index)) for index in (1, 2)]
        assert sum(held) == 8
        assert min(held) > 0
        for _ in range(2):
            await client.step_batch([(episode, "look around") for episode in episodes])
        assert [episode.session_id for episode in episodes] == ids
        assert [len(episode.steps) for episode in episodes] == [2] * 8
        for episode in episodes:
            await episode.close()


def test_prometheus_sees_every_replica_and_answers_the_dashboard(stack: Stack) -> None:
    stack.compose("--profile", "observability", "up", "--detach", "--wait", "--no-recreate", "--no-deps", "prometheus")
    ask = (
        "import json, sys, urllib.parse as p, urllib.request as u\n"
        "for e in sys.argv[1:]:\n"
        "    a = json.load(u.urlopen('http://prometheus:9090/api/v1/query?' + p.urlencode({'query': e})))\n"
        "    print(json.dumps(a['data']['result']))"
    )

    def up() -> dict[str, float]:
        answer = json.loads(stack.python("viewer", ask, "sum by (job) (up)"))
        return {one["metric"]["job"]: float(one["value"][1]) for one in answer}

    expected = {"alfworld": 1.0, "webshop": 1.0, "sciworld": 2.0, "viewer": 1.0, "gateway": 1.0}
    eventually(lambda: up() == expected, 300, "every replica is scraped")
    expressions = [*dashboard_expressions(), *alert_expressions()]
    answers = stack.python("viewer", ask, *expressions).splitlines()
    assert len(answers) == len(expressions)
    seen = dict(zip(expressions, map(json.loads, answers), strict=True))
    assert seen['sum by (job) (restep_ready{job=~".+"})']


def test_nothing_finished_is_lost_when_containers_are_killed(stack: Stack) -> None:
    finished = "SELECT run || ' ' || task_id || ' ' || attempt || ' ' || trajectory_id FROM restep_episodes ORDER BY 1"
    there = "SELECT count(*) FROM pg_tables WHERE tablename = 'restep_episodes'"
    command = ("restep", "collect", "golden", "demo", *settings(*COLLECT))
    worker = stack.work(*command)
    eventually(lambda: stack.sql(there) == ["1"] and len(stack.sql(finished)) >= 3, 600, "three episodes are finished")
    stack.kill(stack.containers("sciworld")[0])
    reached = len(stack.sql(finished)) + 3
    eventually(lambda: len(stack.sql(finished)) >= reached, 600, "collecting goes on without the replica")
    stack.kill("restep-test-worker")
    _, errors = worker.communicate()
    assert worker.returncode == 137, errors
    before = stack.sql(finished)
    assert reached <= len(before) < UNITS

    again = stack.work(*command)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    after = stack.sql(finished)
    assert set(before) < set(after)
    assert len(after) == UNITS
    assert len({row.rsplit(" ", 1)[0] for row in after}) == UNITS


def test_the_viewer_shows_the_run_through_the_gateway(stack: Stack) -> None:
    page = httpx.get(f"{stack.url}/", follow_redirects=True, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert str(page.url) == f"{stack.url}/viewer/"
    assert "team" in page.text


def test_the_demo_in_the_worker_gives_the_table_of_the_local_one(stack: Stack, small_demo: tuple[Path, str]) -> None:
    worker = stack.work("restep", "demo", *settings(*SMALL))
    printed, errors = worker.communicate()
    assert worker.returncode == 0, errors
    assert table(printed) == table(small_demo[1])


def test_the_agent_in_a_container_plays_what_the_worker_trained(stack: Stack) -> None:
    """The model lies on the volume that both have mounted; greedy answers are those that the worker's own server gave."""
    stack.compose("--profile", "cpu", "up", "--detach", "--wait", "--no-deps", "agent")
    elsewhere = "/var/lib/restep/runs/elsewhere.db"
    agent = settings(*SMALL, "agent.url=http://gateway:8000/agent")
    worker = stack.work("restep", "evaluate", "demo", "step", *agent, "--store", elsewhere)
    _, errors = worker.communicate()
    assert worker.returncode == 0, errors
    compared, errors = stack.work("python3", "-c", PLAYED_TWICE, elsewhere).communicate()
    played = json.loads(compared)
    assert {name: len(episodes[0]) for name, episodes in played.items()} == {"sciworld": 4, "alfworld": 3, "webshop": 3}, errors
    assert all(first == second for first, second in played.values())
    assert "restep_agent_turns_total 0.0" not in stack.python(
        "agent", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8010/metrics').read().decode())"
    )


PLAYED_TWICE = """
import json, os, sys
from pathlib import Path
from trainer.folder import RunFolder

stores = [RunFolder(Path("/var/lib/restep/runs/small"), where).store() for where in (os.environ["RESTEP_STORE"], sys.argv[1])]
print(json.dumps({
    name: [
        {episode.task.id: [step.text for step in episode.steps] for episode in store.trajectories(f"evaluation/step/{name}")}
        for store in stores
    ]
    for name in ("sciworld", "alfworld", "webshop")
}))
"""


def table(printed: str) -> list[str]:
    """The lines of the table, without the space around them."""
    lines = [line.strip() for line in printed.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("arm "))
    return lines[start : lines.index("", start)]


def test_with_a_token_nobody_comes_in_without_it(stack: Stack) -> None:
    files = ("--file", "compose.yaml", "--file", "docker/compose.public.yaml")
    stack.compose(*files, "up", "--detach", "--wait", "--no-deps", "alfworld")
    token = stack.compose("run", "--rm", "--no-TTY", "secrets", "cat", "/run/restep/token/token").strip()
    assert len(token) > 30
    where = f"{stack.url}/alfworld/v1/environment"
    eventually(lambda: httpx.get(where).status_code == 401, 120, "the new replica is known to the gateway")
    assert httpx.get(where, headers={"authorization": "Bearer guessed"}).status_code == 401
    assert httpx.get(where, headers={"authorization": f"Bearer {token}"}).json()["name"] == "alfworld"
