"""WebShop's page in a real browser: a person shops an episode on the sessions that every client uses."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from services.webshop.generate import generate_rows
from services.webshop.library import open_stock
from services.webshop.rows import write_folder
from services.webshop.state import State
from services.webshop.world import World
from shared.protocol import SessionHistory
from tests.support.gateway import Gateway
from tests.support.server import ServerProcess
from tests.support.webshop import with_words

CHROMIUM = shutil.which("chromium")
SERVE = ("-m", "trainer.cli", "serve", "webshop", "--port", "0")
TASK = "synthetic-2"
WIDE, PHONE = (1200, 900), (400, 800)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]

Open = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def server() -> Generator[ServerProcess]:
    with ServerProcess([*SERVE, "--expert"]) as running:
        yield running


@pytest.fixture
def opened(browser: Browser) -> Open:
    """``with opened(address, size) as page``: at the end nothing went wrong in it and it asked nobody else."""

    @contextmanager
    def opening(address: str, size: tuple[int, int] = WIDE, *, refusals: bool = False) -> Generator[Page]:
        faults: list[str] = []
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith((address, "data:")) else faults.append(request.url))
        page.on("dialog", lambda dialog: _dismissed(dialog, faults))
        if not refusals:  # the browser itself reports every refused call as an error
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(f"{address}/")
        try:
            yield page
            assert faults == []
        finally:
            page.close()

    return opening


def _dismissed(dialog: Dialog, faults: list[str]) -> None:
    faults.append(dialog.message)
    dialog.dismiss()


def begin(page: Page, task: str = TASK) -> str:
    """Begin a task by its id; answers the session's id."""
    page.get_by_label("Or a task by its id").fill(task)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#task")).to_be_visible()
    return page.url.partition("#session=")[2]


def search(page: Page, keywords: str) -> None:
    page.get_by_label("Search for products").fill(keywords)
    page.get_by_role("button", name="Search", exact=True).click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def done(page: Page, count: int) -> None:
    """Wait until so many actions are in the history."""
    expect(page.locator("#steps li")).to_have_count(count)


def advice(server: ServerProcess) -> list[str]:
    """The expert's way to buy what the task asks for."""
    httpx.put(f"{server.url}/v1/sessions/asked", json={"task_id": TASK}).raise_for_status()
    actions: list[str] = httpx.get(f"{server.url}/v1/sessions/asked/expert").json()["actions"]
    return actions


def shop(page: Page, actions: list[str]) -> None:
    """Carry out actions as a person would, by what stands on the page."""
    for number, action in enumerate(actions, page.locator("#steps li").count() + 1):
        verb, _, argument = action.removesuffix("]").partition("[")
        if verb == "search":
            search(page, argument)
        elif page.locator(f'[data-asin="{argument}"]').count():
            page.locator(f'[data-asin="{argument}"]').click()
        else:
            press(page, argument)
        done(page, number)


def history(server: ServerProcess, session: str) -> SessionHistory:
    return SessionHistory.model_validate_json(httpx.get(f"{server.url}/v1/sessions/{session}").content)


def test_a_person_wins_an_episode(server: ServerProcess, opened: Open) -> None:
    actions = advice(server)
    with opened(server.url) as page:
        page.get_by_role("button", name=World(open_stock(None)).tasks.goal(TASK).text).click()
        expect(page.locator("#task")).to_be_visible()
        session = page.url.partition("#session=")[2]
        shop(page, actions[:2])
        expect(page.locator("h2:focus")).to_be_visible()
        for name in ("Description", "Features", "Reviews"):
            press(page, name)
            expect(page.get_by_role("heading", name=name)).to_be_focused()
            press(page, "Back to the product")
        choices = [action.removesuffix("]").partition("[")[2] for action in actions[2:-1]]
        assert choices
        for choice in choices:
            press(page, choice)
            expect(page.get_by_role("button", name=choice, exact=True)).to_have_attribute("aria-pressed", "true")
            expect(page.get_by_role("button", name=choice, exact=True)).to_be_focused()
            expect(page.get_by_role("status")).to_contain_text(choice)
        expect(page.locator('[aria-pressed="true"]')).to_have_count(len(choices))
        press(page, "Buy Now")
        expect(page.get_by_role("heading", name="Reward 1.00")).to_be_focused()
        for part in ("r_type", "r_att", "r_option", "r_price", "The right kind of product.", "Within the limit.", "= 1.00"):
            expect(page.get_by_role("main")).to_contain_text(part)
        found = history(server, session)
        assert found.success
        expect(page.locator("#steps code")).to_have_text([step.action for step in found.steps])
        log = page.locator("#log").inner_text()
        for call in (f"PUT /v1/sessions/{session} 201", '{"seq":1,"action":"search[', f"GET /v1/sessions/{session}/reward 200"):
            assert call in log


def test_a_worse_purchase_is_told_in_words(server: ServerProcess, opened: Open) -> None:
    with opened(server.url) as page:
        session = begin(page)
        search(page, "lamp")
        page.locator(".card button").first.click()
        press(page, "Buy Now")
        main = page.get_by_role("main")
        expect(main).to_contain_text("Another kind of product: nothing counts.")
        expect(main).to_contain_text("none chosen")
        found = httpx.get(f"{server.url}/v1/sessions/{session}/reward").json()["reward"]
        expect(page.get_by_role("heading", name=f"Reward {found['total']:.2f}")).to_be_visible()
        press(page, "Another task")
        expect(page.get_by_role("heading", name="Choose a task")).to_be_focused()
    assert httpx.get(f"{server.url}/v1/sessions/{session}").status_code == 410


def test_the_step_limit_ends_it_without_a_purchase(server: ServerProcess, opened: Open) -> None:
    with opened(server.url) as page:
        page.get_by_label("Step limit").fill("1")
        begin(page)
        search(page, "lamp")
        expect(page.get_by_role("main")).to_contain_text("The limit of 1 steps is reached and nothing was bought")


def test_tasks_are_looked_through(server: ServerProcess, opened: Open) -> None:
    tasks = World(open_stock(None)).tasks.select("dev")
    with opened(server.url) as page:
        page.get_by_label("Split").select_option("dev")
        expect(page.locator(".tasks button").first).to_have_text(tasks[0].goal)
        press(page, "Later")
        expect(page.locator(".tasks button").first).to_have_text(tasks[8].goal)
        page.get_by_label("From number").fill(str(len(tasks) + 5))
        page.get_by_label("From number").press("Enter")
        expect(page.locator(".tasks button")).to_have_text([tasks[len(tasks) - 1].goal])
        page.locator(".tasks button").click()
        expect(page.locator("#task")).to_contain_text(tasks[len(tasks) - 1].id)


def test_the_keyboard_is_enough(server: ServerProcess, opened: Open) -> None:
    with opened(server.url) as page:
        begin(page)
        page.keyboard.press("Shift+Tab")  # from the heading to the search bar above it
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("herbal tea")
        page.keyboard.press("Enter")
        done(page, 1)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        done(page, 2)
        expect(page.get_by_role("button", name="Buy Now")).to_be_visible()


def test_a_reload_and_a_link_come_back_to_the_session(server: ServerProcess, opened: Open) -> None:
    actions = advice(server)
    with opened(server.url) as page:
        begin(page)
        shop(page, actions[:3])
        page.reload()
        done(page, 3)
        expect(page.locator('[aria-pressed="true"]')).to_have_text([actions[2].removesuffix("]").partition("[")[2]])
        shop(page, actions[3:])
        expect(page.get_by_role("heading", name="Reward 1.00")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Reward 1.00")).to_be_visible()


def test_behind_the_gateway_a_session_stays_on_its_server(server: ServerProcess, opened: Open, tmp_path: Path) -> None:
    with (
        ServerProcess(SERVE) as other,
        Gateway({"webshop": [server.url, other.url]}, tmp_path) as gateway,
        opened(f"{gateway.url}/webshop") as page,
    ):
        for _ in range(3):  # of two servers, each is likely to get one
            session = begin(page)
            shop(page, advice(server))
            expect(page.get_by_role("heading", name="Reward 1.00")).to_be_visible()
            held = [httpx.get(f"{one.url}/v1/sessions/{session}").status_code for one in (server, other)]
            assert sorted(held) == [200, 404]
            press(page, "Another task")


def test_the_token_is_asked_for_and_never_shown(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open-sesame")
    with (
        ServerProcess([*SERVE, "--token-file", str(tmp_path / "token")]) as guarded,
        opened(guarded.url, refusals=True) as page,
    ):
        for tries, token in enumerate(("wrong", "open-sesame"), 1):
            expect(page.locator("#log .bad")).to_have_count(tries)
            expect(page.get_by_role("alert")).to_contain_text("This server asks for a token")
            expect(page.get_by_label("Token")).to_be_focused()
            page.get_by_label("Token").fill(token)
            press(page, "Use it")
        expect(page.locator(".tasks button")).to_have_count(8)
        expect(page.get_by_role("alert")).to_be_empty()
        begin(page)
        search(page, "tea")
        done(page, 1)
        assert "sesame" not in page.content() + page.url
        page.reload()
        done(page, 1)


def test_texts_with_markup_stay_texts(opened: Open, tmp_path: Path) -> None:
    evil = '<script>alert("name")</script><img src="/evil" onerror="alert(1)">'
    write_folder(tmp_path / "webshop", with_words(generate_rows(40, 5), evil))
    with ServerProcess([*SERVE, "--data", str(tmp_path)]) as server, opened(server.url) as page:
        expect(page.locator(".tasks button").first).to_contain_text(evil)
        begin(page, "synthetic-0")
        expect(page.locator("#task")).to_contain_text(evil)
        search(page, f"lamp {evil}")
        expect(page.locator("#steps")).to_contain_text(evil)
        page.locator(".card button").filter(has_text=evil).first.click()
        expect(page.get_by_role("heading", name=evil)).to_be_visible()
        expect(page.locator("fieldset").first).to_contain_text(evil.lower().replace("/", " | "))
        page.locator("fieldset button").first.click()
        expect(page.locator("fieldset button").first).to_have_attribute("aria-pressed", "true")
        press(page, "Features")
        expect(page.locator(".lines")).to_contain_text(evil)
        press(page, "Back to the product")
        press(page, "Buy Now")
        expect(page.locator("dl")).to_contain_text(evil)
        assert page.locator("img, body script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(server: ServerProcess, opened: Open, scheme: Any, tmp_path: Path) -> None:
    with opened(server.url, PHONE) as page:
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".tasks button")).to_have_count(8)
        _fits(page, tmp_path / "tasks.png")
        begin(page)
        page.locator("#calls summary").click()
        for number, action in enumerate(advice(server)):
            shop(page, [action])
            _fits(page, tmp_path / f"{number}.png")
        expect(page.get_by_role("heading", name="Reward 1.00")).to_be_visible()
        _fits(page, tmp_path / "reward.png")


def _fits(page: Page, picture: Path) -> None:
    page.screenshot(path=picture, full_page=True)
    wide: list[str] = page.eval_on_selector_all(
        "body *", "all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML)"
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_lost_session_is_played_again(server: ServerProcess, opened: Open) -> None:
    actions = advice(server)
    with opened(server.url, refusals=True) as page:
        session = begin(page)
        shop(page, actions[:3])
        httpx.delete(f"{server.url}/v1/sessions/{session}")
        press(page, "Features")
        expect(page.get_by_role("alert")).to_contain_text("This session is gone")
        press(page, "Play it again up to here")
        expect(page.get_by_role("alert")).to_be_empty()
        done(page, 3)
        shop(page, actions[3:])
        expect(page.get_by_role("heading", name="Reward 1.00")).to_be_visible()
        assert page.url.partition("#session=")[2] != session


@pytest.mark.parametrize("reached", [False, True])
def test_an_answer_that_is_lost_is_asked_for_again(server: ServerProcess, opened: Open, reached: bool) -> None:
    def lose(route: Route) -> None:
        if reached:  # the server carries the step out, but its answer never comes
            httpx.post(route.request.url, content=route.request.post_data_buffer or b"").raise_for_status()
        route.abort()

    with opened(server.url, refusals=True) as page:
        session = begin(page)
        page.route(re.compile(r"/steps$"), lose)
        search(page, "herbal tea")
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        page.unroute(re.compile(r"/steps$"))
        press(page, "Try again")
        done(page, 1)
        expect(page.get_by_role("alert")).to_be_empty()
        assert [step.action for step in history(server, session).steps] == ["search[herbal tea]"]


def test_a_full_server_says_so_and_is_asked_again(opened: Open) -> None:
    with ServerProcess(SERVE, {"RESTEP_CAPACITY": "1"}) as full, opened(full.url, refusals=True) as page:
        httpx.put(f"{full.url}/v1/sessions/other", json={"task_id": TASK}).raise_for_status()
        page.locator(".tasks button").first.click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing is lost. Try again in 5 seconds.")
        httpx.delete(f"{full.url}/v1/sessions/other")
        press(page, "Try again")
        expect(page.locator("#task")).to_be_visible()


def test_steps_of_another_client_are_taken_over(server: ServerProcess, opened: Open) -> None:
    with opened(server.url, refusals=True) as page:
        session = begin(page)
        step = {"seq": 1, "action": "search[lamp]"}
        httpx.post(f"{server.url}/v1/sessions/{session}/steps", json=step).raise_for_status()
        search(page, "tea")
        expect(page.get_by_role("alert")).to_contain_text("another step")
        press(page, "Show where the session is")
        expect(page.locator("#steps code")).to_have_text(["search[lamp]"])


def test_the_page_reads_observations_as_the_shop_wrote_them(server: ServerProcess, opened: Open) -> None:
    world = World(open_stock(None))
    with opened(server.url) as page:
        for number in range(0, 1000, 25):
            product = world.shop.catalogue[number]
            read = _read(page, world, f"search[{product.name}]", f"click[{product.asin}]")
            results, item = read
            found = world.shop.results(product.name.lower())
            shown = [world.shop.catalogue[each] for each in found[:10]]
            assert [(each["asin"], each["name"], each["price"]) for each in results["products"]] == [
                (each.asin, each.name, each.price_text) for each in shown
            ]
            assert results["total"] == len(found)
            if item["kind"] == "item":
                assert (item["name"], item["price"]) == (product.name, product.price_text)
                options = {group["name"]: tuple(value["text"] for value in group["values"]) for group in item["groups"]}
                assert options == dict(product.options)


def _read(page: Page, world: World, *actions: str) -> list[dict[str, Any]]:
    """What the page's own reading makes of the observations after actions."""
    goal, state = world.tasks.goal(TASK), State()
    read: list[dict[str, Any]] = []
    for action in actions:
        state = world.shop.after(state, action) or state
        script = "async text => (await import('./page/observation.js')).pageOf(text, null, false)"
        read.append(page.evaluate(script, world.observation(goal, state, "text_rich")))
    return read
