"""The page as a server hands it out; what it does is tested in a browser (tests/e2e/test_webshop_page.py)."""

from __future__ import annotations

import re
from pathlib import Path

from services.webshop.routes.page import CONTENT_SECURITY_POLICY, FOLDER
from tests.unit.services.webshop.routes.conftest import Serve

LOADED = re.compile(r'(?:src|href|from) ?=? ?"((?:page/|\./)[^"]+)"')
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|\bstyle=|\son\w+=")


async def test_it_is_answered_without_the_token_that_everything_else_needs(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    async with serve(token_file=tmp_path / "token") as client:
        page = await client.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert page.headers["x-content-type-options"] == "nosniff"
        for path in ("/v1/environment", "/v1/sessions/a/reward", "/page", "/page/", "/page/none.js", "/page/../x"):
            assert (await client.get(path)).status_code == 401, path


async def test_all_that_it_loads_is_there(serve: Serve) -> None:
    async with serve() as client:
        wanted = {name.replace("./", "page/") for file in FOLDER.iterdir() for name in LOADED.findall(file.read_text())}
        assert wanted == {f"page/{file.name}" for file in FOLDER.iterdir() if file.suffix != ".html"}
        for name in wanted:
            answer = await client.get(f"/{name}")
            assert answer.status_code == 200
            assert answer.headers["content-type"] in ("text/javascript; charset=utf-8", "text/css; charset=utf-8")
            assert answer.content == (FOLDER / Path(name).name).read_bytes()


def test_nothing_in_it_turns_text_into_markup_or_asks_elsewhere() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text()
        assert MARKUP.findall(text) == [], file.name
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", text) == [], file.name
