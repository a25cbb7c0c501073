"""A catalogue too large for memory: made in a test, indexed by a process of its own, served in little memory."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from services.webshop.catalogue import ProductList
from services.webshop.disk_catalogue import DiskCatalogue
from services.webshop.goals import make_goals
from services.webshop.search import TextSearch
from services.webshop.sources import Sources
from tests.support.wares import ADJECTIVES, KINDS, human_rows, instruction_rows, product_rows, write_catalogue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COUNT = 200_000
MEGABYTES = 300
"""What serving it may take at most, all pages it read included."""

SERVE = """
import json, sys
from pathlib import Path
import psutil
from services.webshop.library import open_stock
from services.webshop.world import World

world = World(open_stock(Path(sys.argv[1]), cache=Path(sys.argv[2]), say=lambda line: print(line, file=sys.stderr)))
shop = world.shop
found = [[shop.catalogue[number].asin for number in world.stock.search.top(query)] for query in json.load(sys.stdin)]
goals = [world.tasks.goal(f"synthetic-{number}").text for number in range(1000)]
print(json.dumps({"found": found, "goals": goals, "rss": psutil.Process().memory_info().rss / 1e6}))
"""


def queries(rng: random.Random) -> list[str]:
    return [
        f"{' '.join(rng.sample(ADJECTIVES, 2))} {rng.choice(KINDS)} brand{rng.randrange(3000)} m{rng.randrange(COUNT)}"
        for _ in range(200)
    ]


def serve(data: Path, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SERVE, str(data), str(cache)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_hundred_thousand_products_are_served_from_disk(tmp_path: Path) -> None:
    rows = list(product_rows(COUNT))
    write_catalogue(tmp_path / "webshop", rows)
    asked = queries(random.Random(5))

    killed = serve(tmp_path, tmp_path / "cache")
    assert killed.stderr is not None
    assert "indexing it once" in killed.stderr.readline()
    while not list(tmp_path.glob("cache/webshop/catalogues/*.part/postings")):
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    first = answers(serve(tmp_path, tmp_path / "cache"), asked)
    assert any("200000 products indexed" in line for line in first["said"])
    again = answers(serve(tmp_path, tmp_path / "cache"), asked)
    assert again["said"] == []
    assert again["rss"] < MEGABYTES

    held = ProductList(rows, instruction_rows(rows), human_rows(rows))
    search = TextSearch.over(held)
    expected = [[held[number].asin for number in search.top(query)] for query in asked]
    _, goals, _ = make_goals(held)
    for served in (first, again):
        assert served["found"] == expected
        assert served["goals"] == [goals[number].text for number in range(1000)]


def answers(process: subprocess.Popen[str], asked: list[str]) -> dict[str, Any]:
    out, err = process.communicate(json.dumps(asked))
    assert process.returncode == 0, err
    return {**json.loads(out), "said": err.splitlines()}


@pytest.mark.real_data
@pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set")
def test_the_real_products_are_the_same_from_disk(tmp_path: Path) -> None:
    folder = Path(os.environ["RESTEP_DATA"]) / "webshop"
    paths = [folder / name for name in ("items_shuffle_1000.json", "items_ins_v2_1000.json", "items_human_ins.json")]
    stored = DiskCatalogue.open(Sources(*paths), tmp_path, lambda _: None)
    held = ProductList(*(json.loads(path.read_bytes()) for path in paths))
    assert list(stored) == list(held)
    assert list(stored.outlines()) == list(held.outlines())
    for mine, theirs in zip(make_goals(stored), make_goals(held), strict=True):
        assert list(mine) == list(theirs)
