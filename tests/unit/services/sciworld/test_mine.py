"""Solutions come from the store, and from a shard of their own only when they are missing there."""

from __future__ import annotations

from pathlib import Path

from services.sciworld.gold import GoldPaths
from services.sciworld.mine import Mine
from services.sciworld.scratch import Origin
from services.sciworld.shard import Shard

ORIGIN = Origin("find-non-living-thing", 0, "")


async def test_a_missing_solution_starts_the_spare_shard_once_and_is_kept(tmp_path: Path) -> None:
    made: list[Shard] = []

    def spare() -> Shard:
        made.append(Shard(9))
        return made[-1]

    mine = Mine(GoldPaths(tmp_path), spare)
    try:
        found = await mine.dig(ORIGIN)
        assert found[:2] == ("open door to kitchen", "go to kitchen")
        assert await mine.dig(Origin("find-non-living-thing", 1, "")) != found
        assert len(made) == 1
        assert made[0].alive
    finally:
        await mine.close()
    assert not made[0].alive
    again = Mine(GoldPaths(tmp_path), spare)
    assert await again.dig(ORIGIN) == found
    assert len(made) == 1
    await again.close()
