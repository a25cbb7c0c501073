"""Scratch simulators: what a replay may leave out, and what a desk keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.sciworld.house import Surroundings
from services.sciworld.scratch import Desk, Event, Meter, Origin, Scratch, effective
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


MIXED = [
    "look around",
    "gibberish",
    "teleport to kitchen",
    "inventory",
    "pick up seed jar",
    "reset task",
    "teleport to greenhouse",
    "move apple seed in seed jar to flower pot 3",
    "reset task",
    "0",
    "move apple seed in seed jar to flower pot 2",
    "look around",
    "0",
    "look around",
]


async def test_a_replay_without_what_took_no_time_comes_to_the_same_state(shard: Shard) -> None:
    desk, meter = Desk(shard), Meter()
    whole = await desk.replay(GROWING, MIXED, meter)
    kept = effective(whole.events)
    assert kept == [
        "teleport to kitchen",
        "pick up seed jar",
        "teleport to greenhouse",
        "move apple seed in seed jar to flower pot 3",
        "0",
        "move apple seed in seed jar to flower pot 2",
        "look around",
    ]
    again = await desk.replay(GROWING, kept, meter)
    assert await _state(again) == await _state(whole)
    assert meter.steps == len(MIXED) + len(kept)


async def test_a_pending_question_is_part_of_the_state(shard: Shard) -> None:
    desk = Desk(shard)
    scratch = await desk.replay(GROWING, MIXED[:8], Meter())
    assert scratch.menu == 5
    assert effective(scratch.events)[-1] == MIXED[7]


async def test_events_tell_room_and_doors(shard: Shard) -> None:
    scratch = await Desk(shard).replay(Origin("boil", 0, ""), ["open door to kitchen", "go to kitchen"], Meter())
    assert scratch.last.here.room == "kitchen"
    assert scratch.doors[frozenset(("hallway", "kitchen"))] is True
    assert [deed.room for deed in scratch.deeds()] == ["hallway", "hallway"]


async def test_a_parked_simulator_is_taken_once(shard: Shard) -> None:
    desk = Desk(shard)
    scratch = await desk.begin(GROWING)
    await desk.park(b"state", scratch)
    assert desk.holds(b"state")
    assert desk.unpark(b"state") is scratch
    assert desk.unpark(b"state") is None


async def test_the_longest_unused_makes_room(shard: Shard) -> None:
    desk = Desk(shard)
    for number in range(26):
        await desk.park(bytes([number]), await desk.begin(GROWING))
    assert [desk.holds(bytes([number])) for number in (0, 1, 2, 25)] == [False, False, True, True]


async def test_options_are_counted() -> None:
    reply = "Ambiguous request: Please enter the number (or blank to cancel):\n0:\tmove a\n1:\tmove b\n"
    event = Event("move", Reply(reply, 0.0, completed=False), 0, Surroundings("", {}, ""), "")
    assert (event.menu, event.options) == (True, 2)
