"""Scratch simulators: twins, and what a desk keeps."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from services.sciworld.house import Surroundings
from services.sciworld.scratch import MAX_PARKED, Desk, Event, Meter, Origin, Scratch
from services.sciworld.shard import Shard
from services.sciworld.simulator import Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")
GROWING = Origin("grow-fruit", 0, "easy")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shard() -> AsyncIterator[Shard]:
    shard = Shard(0)
    await shard.start()
    yield shard
    await shard.stop()


async def _state(scratch: Scratch) -> tuple[str, int, bool, bytes]:
    """Everything a continuation depends on: things, counter, pending question, random numbers."""

    def read() -> tuple[str, int, bool, bytes]:
        simulator, jvm = scratch.simulator, scratch.simulator.world.jvm.gateway.jvm
        tree = simulator.object_tree()
        stream = jvm.java.io.ByteArrayOutputStream()
        jvm.java.io.ObjectOutputStream(stream).writeObject(simulator.random)
        return tree, simulator.ticks(), bool(scratch.menu), bytes(stream.toByteArray())

    return await scratch.shard.run(read)


ASKED = [
    "teleport to kitchen",
    "pick up seed jar",
    "teleport to greenhouse",
    "look around",
    "move apple seed in seed jar to flower pot 3",
    "reset task",
]
"""Ends with a question of the engine's pending, and something that it does not hear."""


async def _played(desk: Desk, origin: Origin, actions: Sequence[str]) -> Scratch:
    scratch, meter = await desk.begin(origin), Meter()
    for action in actions:
        await scratch.play(action, meter)
    assert meter.steps == len(actions)
    return scratch


async def test_a_twin_is_in_the_same_state_and_goes_its_own_way(shard: Shard) -> None:
    scratch = await _played(Desk(shard), GROWING, ASKED)
    before = await _state(scratch)
    twin = await scratch.twin()
    assert await _state(twin) == before
    assert (twin.menu, twin.events, twin.doors) == (5, scratch.events, scratch.doors)
    await twin.play("0", Meter())
    assert await _state(scratch) == before
    assert len(scratch.events) == len(ASKED) + 1
    await scratch.play("0", Meter())
    assert await _state(twin) == await _state(scratch)


async def test_a_look_is_an_event_that_changes_nothing(shard: Shard) -> None:
    scratch = await _played(Desk(shard), GROWING, [])
    for room in ("kitchen", "outside", "workshop", "hallway"):
        made = (await scratch.play(f"teleport to {room}", Meter())).look()
        assert await scratch.play("look around", Meter()) == made


async def test_events_tell_room_and_doors(shard: Shard) -> None:
    scratch = await _played(Desk(shard), Origin("boil", 0, ""), ["open door to kitchen", "go to kitchen"])
    assert scratch.last.here.room == "kitchen"
    assert scratch.doors[frozenset(("hallway", "kitchen"))] is True
    assert [deed.room for deed in scratch.deeds()] == ["hallway", "hallway"]


async def test_a_parked_simulator_serves_any_number_of_twins(shard: Shard) -> None:
    desk = Desk(shard)
    scratch = await desk.begin(GROWING)
    await desk.park(b"state", scratch)
    assert desk.holds(b"state")
    for _ in range(2):
        twin = await desk.at(b"state")
        assert twin is not None
        assert await _state(twin) == await _state(scratch)
        await twin.play("teleport to kitchen", Meter())
    assert await desk.at(b"another") is None


async def test_what_was_parked_in_a_jvm_that_died_is_gone() -> None:
    shard = Shard(1)
    await shard.start()
    try:
        desk = Desk(shard)
        await desk.park(b"state", await desk.begin(GROWING))
        assert shard.pid is not None
        os.kill(shard.pid, signal.SIGKILL)
        assert await desk.at(b"state") is None
        assert not desk.holds(b"state")
        await desk.begin(GROWING)
    finally:
        await shard.stop()


async def test_the_longest_unused_makes_room(shard: Shard) -> None:
    desk = Desk(shard)
    for number in range(MAX_PARKED + 2):
        await desk.park(bytes([number]), await desk.begin(GROWING))
    assert [desk.holds(bytes([number])) for number in (0, 1, 2, MAX_PARKED + 1)] == [False, False, True, True]


async def test_options_are_counted() -> None:
    reply = "Ambiguous request: Please enter the number (or blank to cancel):\n0:\tmove a\n1:\tmove b\n"
    event = Event("move", Reply(reply, 0.0, completed=False), 0, Surroundings("", {}, ""), "")
    assert (event.menu, event.options) == (True, 2)
