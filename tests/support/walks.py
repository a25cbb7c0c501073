"""Ways through every route of a service, for a client that may be cut off at any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.support.routes import Routes
from tests.support.walker import Walker

CutStep = Callable[[int, Mapping[str, Any]], None]
SITUATION: Final = ("observation", "reward", "score", "done")
"""What AgentGym tells of a slot, whatever it was asked."""
_NAMES: Final = ("swagger-ui.css",)


async def native(walker: Walker, routes: Routes) -> None:
    """Our own protocol and what a benchmark adds to it: an episode to its end, a fork of it, a batch, another by its name."""
    first, second, fork = (f"{walker.name}-{place}" for place in ("first", "second", "fork"))
    await walker.ask("PUT", f"/v1/sessions/{first}", {"split": "test", "index": 0})
    await walker.ask("POST", "/v1/sessions", {"split": "test", "index": 1, "session_id": second})
    *actions, last = (await walker.ask("GET", f"/v1/sessions/{first}/expert")).json()["actions"]
    for seq, action in enumerate(actions, 1):
        await walker.ask("POST", f"/v1/sessions/{first}/steps", {"seq": seq, "action": action})
    await walker.ask("POST", f"/v1/sessions/{first}/fork", {"session_id": fork})
    steps = [{"session_id": session, "seq": len(actions) + 1, "action": last} for session in (first, fork)]
    await walker.ask("POST", "/v1/steps", {"steps": [*steps, {"session_id": second, "seq": 1, "action": "search[tea]"}]})
    for session in (first, second, fork):
        seen = (await walker.ask("GET", f"/v1/sessions/{session}")).json()
        assert seen["seq"] == (1 if session == second else len(actions) + 1), "every step was executed once"
    if "GET /v1/sessions/{session_id}/reward" in routes.every:
        await walker.ask("GET", f"/v1/sessions/{first}/reward")
    for session in (first, second, fork):
        await walker.ask("DELETE", f"/v1/sessions/{session}")


async def agentgym(walker: Walker, actions: Sequence[str], cut: CutStep) -> list[Any]:
    """An episode in AgentGym's protocol, whose steps have no number: who is cut off at one begins anew and plays it again.

    ``cut`` is told at which step that was, from 0, and what the slot then says of itself. Returns the answers, which
    the walker is told as often as it asks.
    """
    slot = (await walker.ask("POST", "/agentgym/create")).json()["id"]
    while True:
        answers = [(await walker.ask("POST", "/agentgym/reset", {"id": slot, "data_idx": 0})).json()]
        try:
            for action in actions:
                answer = await walker.client.post("/agentgym/step", json={"id": slot, "action": action})
                answers.append(answer.raise_for_status().json())
            break
        except httpx.TransportError:
            detail = await walker.ask("GET", f"/agentgym/detail?id={slot}")
            cut(len(answers) - 1, situation(detail.json()))
    answers += [(await walker.ask("GET", f"/agentgym/{what}?id={slot}")).json() for what in ("observation", "detail")]
    answers.append((await walker.ask("POST", "/agentgym/close", {"id": slot})).json())
    return answers


def situation(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What any of AgentGym's answers says of a slot."""
    return {name: answer[name] for name in SITUATION}


async def openenv(url: str, actions: Sequence[str]) -> list[Any]:
    """An episode over OpenEnv's WebSocket, which holds its session: who is cut off there begins anew and plays it again.

    Returns the replies, once a socket has lived from its handshake to a close that both sides agree on.
    """
    reset = {"type": "reset", "data": {"split": "test", "index": 0, "episode_id": "mine"}}
    steps = [{"type": "step", "data": {"action": action}} for action in actions]
    while True:
        replies: list[Any] = []
        try:
            # neither compressed nor with pings, so that whoever stands between can read what is said
            async with connect(
                f"{url}/ws".replace("http", "ws", 1), proxy=None, compression=None, ping_interval=None
            ) as socket:
                for said in (reset, *steps, {"type": "state"}):
                    await socket.send(orjson.dumps(said).decode())
                    replies.append(orjson.loads(await socket.recv()))
                await socket.send('{"type": "close"}')
                await socket.wait_closed()
        except (WebSocketException, OSError, EOFError):
            continue
        if socket.close_code == 1000:
            return replies


async def questions(walker: Walker, model: str, checkpoint: str) -> None:
    """To the agent, in its own protocol and in OpenAI's, whole and as streams; answers take the most likely token."""
    greedy: dict[str, Any] = {"temperature": 0, "max_tokens": 24, "stop_token_ids": []}
    await walker.ask("POST", "/v1/checkpoint", {"path": checkpoint})
    await walker.ask("POST", "/v1/react/steps", {**greedy, "prompt_token_ids": [5, 6, 7], "model": model})
    said = {**greedy, "model": model}
    chat = {**said, "messages": [{"role": "user", "content": "You are in a room. What do you do?"}]}
    text = {**said, "prompt": "You are in a room."}
    for stream in ({}, {"stream": True}):
        await walker.ask("POST", "/v1/chat/completions", {**chat, **stream})
        await walker.ask("POST", "/v1/completions", {**text, **stream})


async def pages(walker: Walker, token: str, live: str) -> None:
    """The viewer's, after its form has let the walker in; ``trial`` is a run that stands still, ``live`` one that grows."""
    await walker.ask("POST", "/login", keep=False, data={"token": token})
    golden, task = "trial/collections/golden/sciworld", "melt/3"
    for below in ("", "/api"):
        for path in ("trial", golden, f"{golden}?success=yes&kept=yes", f"{golden}/episodes/{task}/0"):
            await walker.ask("GET", f"{below}/runs/{path}")
        await walker.ask("GET", f"{below}/runs/{live}", keep=False)
    await walker.ask("GET", "/runs/trial/pages/report")
    await walker.ask("GET", f"/compare?task={task}&left=trial:golden/sciworld:0&right=trial:golden/sciworld:0")


async def documents(walker: Walker) -> None:
    """What the page over OpenAPI loads."""
    for name in _NAMES:
        await walker.ask("GET", f"/docs/{name}")
