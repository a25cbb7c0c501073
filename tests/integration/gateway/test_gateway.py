"""The gateway's configuration in the real Envoy, before two replicas of a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from shared.client import EnvironmentClient
from shared.protocol import StepResult
from tests.support.gateway import Gateway
from tests.support.observability import metric_names, shown
from tests.support.process import CellarProcess

TASK = {"task_id": "cellar/2"}


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[CellarProcess]]:
    with CellarProcess(expert=True) as one, CellarProcess(expert=True) as two:
        yield [one, two]


@pytest.fixture(scope="module")
def gateway(replicas: list[CellarProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway({"sciworld": [one.url for one in replicas]}, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    """What a person with curl has."""
    with httpx.Client(base_url=f"{gateway.url}/sciworld", timeout=60) as client:
        yield client


def created(response: httpx.Response) -> str:
    assert response.status_code == 201, response.text
    session_id: str = response.json()["session_id"]
    return session_id


def play(http: httpx.Client, session_id: str, steps: int = 2) -> None:
    for seq in range(1, steps + 1):
        answer = http.post(f"/v1/sessions/{session_id}/steps", json={"seq": seq, "action": "go east"})
        assert answer.status_code == 200, answer.text
    assert http.get(f"/v1/sessions/{session_id}").json()["seq"] == steps


def held(replica: CellarProcess) -> int:
    total: int = httpx.get(f"{replica.url}/v1/sessions").json()["total"]
    return total


def test_sessions_begun_by_post_are_spread_and_stay_where_they_are(http: httpx.Client, replicas: list[CellarProcess]) -> None:
    before = [held(replica) for replica in replicas]
    ids = [created(http.post("/v1/sessions", json=TASK)) for _ in range(24)]
    assert len(set(ids)) == 24
    for session_id in ids:
        play(http, session_id)
    grown = [held(replica) - count for replica, count in zip(replicas, before, strict=True)]
    assert sum(grown) == 24
    assert min(grown) > 0
    for session_id in ids:
        assert http.delete(f"/v1/sessions/{session_id}").status_code == 204
    assert [held(replica) for replica in replicas] == before


def test_ids_chosen_by_the_client_are_kept_in_path_and_body(http: httpx.Client) -> None:
    for number in range(8):
        by_put, by_post = f"put-{number}.a", f"post-{number}:b"
        assert created(http.put(f"/v1/sessions/{by_put}", json=TASK)) == by_put
        assert created(http.post("/v1/sessions", json={**TASK, "session_id": by_post})) == by_post
        play(http, by_put)
        play(http, by_post)


def test_a_fork_stays_with_its_source(http: httpx.Client) -> None:
    for _ in range(8):
        source = created(http.post("/v1/sessions", json=TASK))
        play(http, source)
        fork = created(http.post(f"/v1/sessions/{source}/fork"))
        second = created(http.post(f"/v1/sessions/{fork}/fork", json={"at_seq": 1}))
        assert http.get(f"/v1/sessions/{fork}").json()["seq"] == 2
        assert http.get(f"/v1/sessions/{second}").json()["seq"] == 1


def test_a_header_of_the_client_makes_no_session_id(http: httpx.Client) -> None:
    forged = {"x-request-id": "mine", "x-restep-session": "mine", "x-restep-service": "admin"}
    ids = [created(http.post("/v1/sessions?trace=1", json=TASK, headers=forged)) for _ in range(6)]
    assert len({*ids, "mine"}) == 7
    for session_id in ids:
        play(http, session_id)


def test_what_is_wrong_with_a_creation_is_said_by_the_server(http: httpx.Client) -> None:
    for body, code in ((b"{", "malformed_json"), (b'{"task_id": "cellar/99"}', "unknown_task"), (b"", "malformed_json")):
        response = http.post("/v1/sessions", content=body, headers={"content-type": "application/json"})
        assert response.json()["code"] == code


async def test_our_client_plays_forks_asks_and_steps_in_batches(gateway: Gateway) -> None:
    async with EnvironmentClient(f"{gateway.url}/sciworld") as client:
        episodes = [await client.open("cellar/2", seed=seed) for seed in range(8)]
        ids = [episode.session_id for episode in episodes]
        for _ in range(2):
            answers = await client.step_batch([(episode, "go east") for episode in episodes])
            assert all(isinstance(answer, StepResult) for answer in answers)
        assert [episode.session_id for episode in episodes] == ids
        fork = await episodes[0].fork()
        while not fork.over:
            await fork.step((await fork.expert()).actions[0])
        assert fork.score == 1.0


async def test_episodes_move_when_their_replica_dies(tmp_path: Path) -> None:
    with (
        CellarProcess() as one,
        CellarProcess() as two,
        Gateway({"webshop": [one.url, two.url]}, tmp_path) as gateway,
    ):
        async with EnvironmentClient(f"{gateway.url}/webshop") as client:
            episodes = [await client.open("cellar/2", seed=seed) for seed in range(8)]
            for episode in episodes:
                await episode.step("go east")
            assert 0 < held(two) < 8
            one.kill()
            for episode in episodes:
                await episode.step("go east")
            assert held(two) == 8
            assert [len(episode.steps) for episode in episodes] == [2] * 8


def test_a_web_socket_passes(gateway: Gateway) -> None:
    with connect(f"{gateway.url.replace('http', 'ws')}/sciworld/ws") as socket:
        for message in ({"type": "reset", "data": TASK}, {"type": "step", "data": {"action": "go east"}}):
            socket.send(json.dumps(message))
            answer = json.loads(socket.recv(timeout=60))
            assert answer["type"] == "observation", answer


def test_agentgyms_slots_are_found_again(http: httpx.Client) -> None:
    slots = [http.post("/agentgym/create").json()["id"] for _ in range(6)]
    assert slots == sorted(set(slots))
    for slot in slots:
        assert http.post("/agentgym/reset", json={"id": slot, "data_idx": 0}).status_code == 200
        assert http.post("/agentgym/step", json={"id": slot, "action": "go east"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/elsewhere/v1", 404, "route_not_found"),
        ("/admin/stats", 404, "route_not_found"),
        ("/agent/v1/agent", 503, "unreachable"),
    ],
)
def test_the_gateways_own_words_are_problem_details(gateway: Gateway, path: str, status: int, code: str) -> None:
    response = httpx.get(gateway.url + path)
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["retryable"] is (status == 503)


def test_too_large_a_body_is_refused_by_the_gateway_where_it_has_to_read_it(http: httpx.Client) -> None:
    response = http.post("/v1/sessions", content=b" " * (3 << 20), headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_the_root_is_the_viewer(gateway: Gateway) -> None:
    response = httpx.get(gateway.url)
    assert (response.status_code, response.headers["location"]) == (302, f"{gateway.url}/viewer/")


def test_envoys_metrics_in_the_dashboard_exist(gateway: Gateway, http: httpx.Client) -> None:
    http.get("/v1/environment")
    asked = metric_names("envoy_")
    assert len(asked) > 3
    assert asked <= shown(httpx.get(f"{gateway.observers_url}/metrics").text)


def test_the_way_to_the_admin_interface_is_narrow(gateway: Gateway) -> None:
    assert httpx.get(f"{gateway.observers_url}/readyz").text.strip() == "LIVE"
    for path in ("/", "/quitquitquit", "/config_dump", "/stats"):
        assert httpx.post(gateway.observers_url + path).status_code == 404
