"""One client an environment; servers start when first needed, side by side, and end with the workplace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.envserver.app import create_app
from shared.errors import RestepError
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from trainer import workplace
from trainer.recipe import EnvironmentOptions, Recipe, load_recipe
from trainer.servers import LocalServer
from trainer.workplace import Workplace

WORLDS = {"corridor": CorridorWorld, "cellar": Cellar}


def recipe(**urls: str | None) -> Recipe:
    environments = {name: EnvironmentOptions(url=url, workers=1) for name, url in urls.items()}
    return load_recipe("demo").model_copy(update={"environments": environments})


class Starter:
    """Stands in for servers in processes of their own: serves worlds of the tests once ``together`` were asked for."""

    def __init__(self, together: int) -> None:
        self._gate = asyncio.Barrier(together)
        self.asked: list[tuple[str, Sequence[str], str]] = []
        self.data: dict[str, str | None] = {}
        self.running: set[str] = set()

    @asynccontextmanager
    async def server(
        self, service: str, arguments: Sequence[str], log_file: Path, environment: Mapping[str, str]
    ) -> AsyncGenerator[LocalServer]:
        self.asked.append((service, arguments, log_file.name))
        self.data[service] = environment.get("RESTEP_DATA")
        async with asyncio.timeout(20):
            await self._gate.wait()
        async with live(create_app(WORLDS[service](), EnvironmentSettings(expert=True))) as url:
            self.running.add(service)
            yield LocalServer(service, url)
        self.running.remove(service)


async def test_servers_start_side_by_side_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = Starter(together=2)
    monkeypatch.setattr(workplace, "local_server", starter.server)
    place = Workplace(recipe(corridor=None, cellar=None), tmp_path)
    found = await place.environments()
    assert list(found) == ["corridor", "cellar"]
    assert [(await client.info()).name for client in found.values()] == ["corridor", "cellar"]
    assert await place.environment("cellar") is found["cellar"]
    assert await place.environments() == found
    flags = ["--expert", "--workers", "1"]
    assert sorted(starter.asked) == [("cellar", flags, "cellar.log"), ("corridor", flags, "corridor.log")]
    await place.close()
    assert starter.running == set()


async def test_two_who_ask_for_an_environment_at_once_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = Starter(together=1)
    monkeypatch.setattr(workplace, "local_server", starter.server)
    place = Workplace(recipe(corridor=None, cellar=None), tmp_path)
    one, two = await asyncio.gather(place.environment("corridor"), place.environment("corridor"))
    assert one is two
    assert starter.running == {"corridor"}
    await place.close()


async def test_the_data_of_a_server_is_the_recipes_or_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEP_DATA", "/the/machines")
    cases: list[tuple[str | None, list[str], str | None]] = [
        (None, [], "/the/machines"),
        ("embedded", [], None),
        ("/the/recipes", ["--data", "/the/recipes"], "/the/machines"),
    ]
    for data, flags, variable in cases:
        starter = Starter(together=1)
        monkeypatch.setattr(workplace, "local_server", starter.server)
        options = {"corridor": EnvironmentOptions.model_validate({"workers": 1, "data": data})}
        place = Workplace(load_recipe("demo").model_copy(update={"environments": options}), tmp_path)
        await place.environments()
        assert [asked[1] for asked in starter.asked] == [["--expert", "--workers", "1", *flags]]
        assert starter.data == {"corridor": variable}
        await place.close()


async def test_a_server_of_another_environment_is_refused(tmp_path: Path) -> None:
    async with live(create_app(Cellar(), EnvironmentSettings(expert=True))) as url:
        place = Workplace(recipe(corridor=url), tmp_path)
        with pytest.raises(RestepError, match=r"environments\.corridor\.url: the server at .* is of 'cellar'") as caught:
            await place.environments()
        assert caught.value.code == "invalid_recipe"
        await place.close()


async def test_servers_with_a_token_are_sent_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("secret")
    settings = EnvironmentSettings(expert=True, token_file=tmp_path / "token")
    async with live(create_app(Cellar(), settings)) as url:
        stranger = Workplace(recipe(cellar=url), tmp_path)
        with pytest.raises(RestepError, match="unauthorized"):
            await stranger.environments()
        await stranger.close()
        monkeypatch.setenv("RESTEP_TOKEN_FILE", str(tmp_path / "token"))
        place = Workplace(recipe(cellar=url), tmp_path)
        assert list(await place.environments()) == ["cellar"]
        await place.close()
