"""Who is let in: by header, by the form and its cookie, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.viewer.login import COOKIE, SECONDS, Login, local_path
from shared.tokens import Token
from tests.unit.services.viewer.conftest import Serve

TOKEN = "correct-horse-battery-staple"
PATHS = ("/", "/runs/trial", "/runs/trial/pages/report", "/compare?task=a&left=b:c:0", "/api/runs", "/metrics", "/openapi.json")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return tmp_path / "token"


def scope(cookie: str, path: str = "/") -> dict[str, object]:
    return {"type": "http", "path": path, "headers": [(b"cookie", cookie.encode("latin-1", "replace"))]}


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_asks_for_the_token(serve: Serve, token_file: Path, path: str) -> None:
    async with serve(token_file=token_file) as client:
        people = await client.get(path)
        script = await client.get(path, headers={"accept": "application/json"})
        wrong = await client.get(path, headers={"accept": "*/*", "authorization": "Bearer wrong"})
        right = await client.get(path, headers={"authorization": f"Bearer {TOKEN}"})
    assert (people.status_code, script.status_code, wrong.status_code) == (303, 401, 401)
    assert people.headers["location"].startswith("/login?next=/")
    assert script.json()["code"] == "unauthorized"
    assert script.headers["www-authenticate"] == "Bearer"
    assert right.status_code in (200, 404, 422)


async def test_only_probes_the_form_and_its_style_are_open(serve: Serve, token_file: Path) -> None:
    async with serve(token_file=token_file) as client:
        for path in ("/healthz", "/readyz", "/login", "/static/style.css"):
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/static/other.css")).status_code == 303


async def test_the_form_gives_a_cookie_that_does_not_tell_the_token(serve: Serve, token_file: Path) -> None:
    async with serve(token_file=token_file) as client:
        answer = await client.post("/login", data={"token": TOKEN, "next": "/runs/trial"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs/trial")
        cookie = answer.headers["set-cookie"]
        for part in ("HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SECONDS}"):
            assert part in cookie
        assert TOKEN not in cookie
        shown = await client.get("/runs/trial")
        assert shown.status_code == 200
        assert "log out" in shown.text
        assert (await client.post("/logout")).headers["location"] == "/login"
        assert (await client.get("/runs/trial")).status_code == 303
        assert (
            "restep_viewer_logins_total 1.0"
            in (await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})).text
        )


@pytest.mark.parametrize("body", [b"token=wrong", b"", b"token=", b"\xff\xfe", b"token=%00", b"token=%ed%a0%80"])
async def test_a_wrong_token_is_shown_the_form_again(serve: Serve, token_file: Path, body: bytes) -> None:
    async with serve(token_file=token_file) as client:
        answer = await client.post("/login", content=body)
    assert answer.status_code == 401
    assert "That is not the token." in answer.text
    assert "set-cookie" not in answer.headers


async def test_over_https_the_cookie_stays_there(serve: Serve, token_file: Path) -> None:
    async with serve(token_file=token_file) as client:
        answer = await client.post("https://viewer/login", data={"token": TOKEN})
    assert "Secure" in answer.headers["set-cookie"]


async def test_behind_a_gateway_the_cookie_is_the_viewers_alone(serve: Serve, token_file: Path) -> None:
    async with serve(token_file=token_file, prefix="/viewer") as client:
        answer = await client.post("/login", data={"token": TOKEN, "next": "/runs/trial"})
        refused = await client.get("/runs/trial")
    assert "Path=/viewer" in answer.headers["set-cookie"]
    assert answer.headers["location"] == "/viewer/runs/trial"
    assert refused.headers["location"] == "/viewer/login?next=/runs/trial"


def test_a_cookie_ends_with_its_time_and_with_the_token() -> None:
    now = 1000.0
    login = Login([Token(TOKEN)], lambda: now)
    cookie = f"{COOKIE}={login.cookie(TOKEN)}"
    assert login.allows(scope(cookie))
    assert login.allows(scope(f"other=1; {cookie}"))
    assert not Login([Token("another")], lambda: now).allows(scope(cookie))
    now += SECONDS
    assert not login.allows(scope(cookie))


@given(st.text() | st.from_regex(r"[0-9]{1,12}\.[0-9a-f]{64}", fullmatch=True))
def test_no_cookie_can_be_made_up(value: str) -> None:
    assert not Login([Token(TOKEN)]).allows(scope(f"{COOKIE}={value}"))


def test_a_token_is_replaced_while_the_old_one_still_holds() -> None:
    cookie = f"{COOKIE}={Login([Token('old')]).cookie('old')}"
    both, new = Login([Token("new", "ann"), Token("old")]), Login([Token("new", "ann")])
    assert both.allows(scope(cookie))
    assert both.allows(scope(f"{COOKIE}={both.cookie('new')}"))
    assert not new.allows(scope(cookie))
    assert new.cookie("old") is None


def test_a_later_expiry_needs_another_signature() -> None:
    login = Login([Token(TOKEN)])
    expiry, _, signature = str(login.cookie(TOKEN)).partition(".")
    assert not login.allows(scope(f"{COOKIE}={int(expiry) + 1}.{signature}"))


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\r\nb", "/\t/evil"]
)
def test_the_way_back_stays_on_this_server(path: str) -> None:
    assert local_path(path) == "/"
    assert local_path("/runs/a?page=2") == "/runs/a?page=2"
