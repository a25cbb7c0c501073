"""The pages over HTTP: what they show, that nothing anybody wrote becomes markup, and what they refuse."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from services.viewer.app import create_app
from services.viewer.settings import ViewerSettings
from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.documents import make_trajectory
from tests.support.runs import SCRIPT, make_run
from tests.unit.services.viewer.conftest import Serve

EPISODE = "/runs/trial/collections/reflected/sciworld/episodes/boil/0/0"
WICKED = f"/runs/{quote('<b>wicked<svg onload=x()>')}"


class Markup(HTMLParser):
    """What of a page is markup and not text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "action", "src")]


async def page(serve: Serve, path: str, status: int = 200, **settings: Any) -> str:
    async with serve(**settings) as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


async def test_the_first_page_lists_the_runs_with_their_progress(serve: Serve) -> None:
    shown = await page(serve, "/")
    for text in ("trial", "A trial.", ">125<", '<progress value="125" max="127">', "going"):
        assert text in shown
    assert '<meta http-equiv="refresh"' in shown


async def test_a_run_shows_its_table_its_collections_and_what_failed(serve: Serve) -> None:
    shown = await page(serve, "/runs/trial")
    for text in (
        "golden-all",
        "about step",
        "vs golden-all",
        "alfworld",
        "85.0",
        "golden/sciworld",
        "melt/500",
        "timeout",
        "of 2<",
    ):
        assert text in shown
    assert "the engine gave no answer" in shown
    assert re.search(r"<td>step</td>.*?<td>2</td><td>1.250</td>", shown)


async def test_a_collection_is_cut_into_pages_and_filtered(serve: Serve) -> None:
    path = "/runs/trial/collections/golden/sciworld"
    shown = await page(serve, path)
    assert "120 episodes, page 1 of 3" in shown
    assert shown.count("/episodes/melt/") == 50
    assert (await page(serve, f"{path}?page=3")).count("/episodes/melt/") == 20
    filtered = await page(serve, f"{path}?kept=yes&success=yes&type=find-plant")
    assert "60 episodes, page 1 of 2" in filtered
    assert 'value="yes" selected' in filtered
    assert "success=yes&amp;kept=yes&amp;type=find-plant&amp;page=2" in filtered
    assert "0 episodes" in await page(serve, f"{path}?success=no")


async def test_an_episode_shows_every_step_with_its_weight(serve: Serve) -> None:
    shown = await page(serve, EPISODE)
    for text in (
        "weight 0, not trained on",
        'class="step error"',
        'class="step reflection"',
        "This room is called the kitchen.",
    ):
        assert text in shown
    assert "Your task is to boil water." in shown
    assert "evaluation/step/sciworld" in shown


async def test_two_attempts_stand_side_by_side(serve: Serve) -> None:
    left, right = "trial:evaluation/base/sciworld:0", "trial:evaluation/step/sciworld:0"
    shown = await page(serve, f"/compare?task=boil/0&left={left}&right={right}")
    assert shown.count("<section>") == 2
    assert "The first 2 actions are the same." in shown
    alone = await page(serve, f"/compare?task=boil/0&left={left}")
    assert alone.count("<section>") == 1
    assert right in alone
    other = await page(serve, f"/compare?task=boil/0&left={left}&right=trial:reflected/sciworld:0")
    assert "They part with the first action." in other


async def test_a_report_is_shown_in_an_origin_of_its_own_and_without_scripts(serve: Serve) -> None:
    async with serve() as client:
        answer = await client.get("/runs/trial/pages/report")
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("sandbox")
    assert "script-src" not in policy
    assert "allow-" not in policy
    assert "Did it help?" in answer.text
    await page(serve, "/runs/trial/pages/judge", 404)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        (WICKED, 200),
        (f"{WICKED}/collections/golden/{quote(SCRIPT)}", 200),
        (f"{WICKED}/collections/reflected/sciworld/episodes/{quote(SCRIPT)}/0", 200),
        (f"/compare?task={quote(SCRIPT)}&left={quote('<b>wicked<svg onload=x()>:reflected/sciworld:0')}", 200),
        (f"/runs/{quote(SCRIPT)}", 404),
        (f"/runs/trial/collections/{quote(SCRIPT)}", 404),
        (f"/compare?task={quote(SCRIPT)}&left=trial:reflected/sciworld:0", 404),
        ("/compare?task=boil/0&left=", 422),
        (f"/login?next={quote('/' + SCRIPT)}", 200),
        (f"/runs/trial/collections/golden/sciworld?type={quote(SCRIPT)}", 200),
    ],
)
async def test_nothing_that_anybody_wrote_becomes_markup(serve: Serve, path: str, status: int) -> None:
    async with serve() as client:
        answer = await client.get(path)
    assert answer.status_code == status
    markup = Markup(answer.text)
    assert markup.tags.isdisjoint({"script", "iframe", "object", "style", "img", "i"})
    assert not [name for name in markup.attributes if name.startswith("on") or name == "style"]
    assert all(link.startswith(("/", "?", "#")) or link == "data:," for link in markup.links)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")


@pytest.mark.parametrize(
    "path",
    [
        "/runs/%2e%2e",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/runs/trial%2f..%2ftrial",
        "/runs/%00",
        "/runs/trial/pages/..%2frecipe.json",
        "/runs/trial/pages/trajectories.db",
        "/static/..%2fpages.py",
    ],
)
async def test_no_path_leads_out_of_the_runs(serve: Serve, path: str) -> None:
    async with serve() as client:
        answer = await client.get(path)
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text
    assert "description" not in answer.text


async def test_a_link_out_of_a_run_is_not_followed(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("a secret")
    folder = make_run(tmp_path / "runs")
    (folder / "report.html").unlink()
    (folder / "report.html").symlink_to(tmp_path / "secret.html")
    assert "a secret" not in await page(serve, "/runs/trial/pages/report", 404, runs=tmp_path / "runs")


async def test_a_damaged_run_says_so_and_hides_no_other(serve: Serve, tmp_path: Path) -> None:
    make_run(tmp_path, "whole")
    broken = make_run(tmp_path, "broken")
    (broken / "trajectories.db").write_bytes(b"no database" * 1000)
    (broken / "results.json").write_text('{"results_schema": 2}')
    shown = await page(serve, "/", runs=tmp_path)
    assert "whole" in shown
    assert "cannot be read in full" in shown
    shown = await page(serve, "/runs/broken", runs=tmp_path)
    assert "schema 2; this viewer reads 3" in shown
    assert "trajectories.db" in shown


async def test_before_the_first_run_the_page_says_how_to_make_one(serve: Serve, tmp_path: Path) -> None:
    assert "restep demo" in await page(serve, "/", runs=tmp_path / "absent")


async def test_runs_of_a_shared_store_are_shown_beside_those_of_the_folder(serve: Serve, tmp_path: Path) -> None:
    with TrajectoryStore(tmp_path / "shared.db") as store:
        for run in ("trial/golden/webshop", "far away/golden/sciworld", "farther/golden/sciworld"):
            store.commit(make_trajectory("a/1", run=run), kept=True)
    settings: dict[str, Any] = {"store": f"sqlite:///{tmp_path / 'shared.db'}"}
    assert "far away" in await page(serve, "/", **settings)
    both = await page(serve, "/runs/trial", **settings)
    assert "collections/golden/webshop" in both
    assert "collections/golden/sciworld" in both
    shown = await page(serve, "/runs/far%20away/collections/golden/sciworld/episodes/a/1/0", **settings)
    assert "thought 0" in shown
    await page(serve, "/runs/far", 404, **settings)


async def test_a_shared_store_that_cannot_be_reached_hides_no_folder(serve: Serve, tmp_path: Path) -> None:
    shown = await page(serve, "/", store=f"sqlite:///{tmp_path / 'absent.db'}")
    assert "there is no store" in shown
    assert "trial" in shown


async def test_the_same_comes_as_json(serve: Serve) -> None:
    async with serve() as client:
        every = (await client.get("/api/runs")).json()["runs"]
        one = (await client.get("/api/runs/trial")).json()
        path = "/api/runs/trial/collections/golden/sciworld"
        episodes = (await client.get(path, params={"kept": "yes", "offset": 58, "limit": 10})).json()
        document = (await client.get(f"{path}/episodes/melt/7/0")).json()
        missing = await client.get(f"{path}/episodes/melt/777/0")
    assert one in every
    assert {"name": "reflected/sciworld", "finished": 3, "kept": 3}.items() <= one["collections"][-1].items()
    assert episodes["total"] == 60
    assert len(episodes["episodes"]) == 2
    assert [failure["code"] for failure in episodes["failures"]] == ["timeout"]
    assert document == make_trajectory("melt/7", run="golden/sciworld", seed=7).model_dump(mode="json", by_alias=True)
    assert missing.status_code == 404


async def test_problems_are_pages_for_people_and_documents_for_scripts(serve: Serve) -> None:
    assert "there is no such run" in await page(serve, "/runs/absent", 404)
    async with serve() as client:
        answer = await client.get("/runs/absent", headers={"accept": "*/*"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "data_not_found"


async def test_links_carry_the_prefix_of_a_gateway(serve: Serve) -> None:
    shown = await page(serve, "/runs/trial", prefix="/viewer")
    assert all(link.startswith(("/viewer/", "data:")) for link in re.findall(r'(?:href|action)="([^"]*)"', shown))


@pytest.mark.parametrize("host", ["attacker.example", "a.b:8020", "127.0.0.1.attacker.example"])
async def test_without_a_token_a_foreign_domain_is_refused(serve: Serve, host: str) -> None:
    async with serve() as client:
        answer = await client.get("/api/runs", headers={"host": host, "accept": "*/*"})
    assert answer.status_code == 421
    assert answer.json()["code"] == "foreign_host"


async def test_probes_answer_as_those_of_every_service(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.get("/healthz")).json()["status"] == "ok"
        assert (await client.get("/readyz")).json()["detail"] == {"runs": 2}
        assert "restep_request_seconds_bucket" in (await client.get("/metrics")).text
        assert (await client.get("/docs", headers={"accept": "*/*"})).status_code == 404


def test_a_token_file_without_a_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RestepError):
        create_app(ViewerSettings(token_file=tmp_path / "absent"))
