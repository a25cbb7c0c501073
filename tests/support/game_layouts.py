"""Small games of ALFWorld, and every layout they may come in."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.alfworld.fetch import GAMES, TRAJECTORIES
from services.alfworld.source import GameText
from tests.support.file_server import Files, file_server

DOMAIN = "(define (domain alfred))"
IDS = (
    "train/pick_and_place_simple-Mug-None-Desk-301/trial_T1",
    "train/look_at_obj_in_light-Book-None-DeskLamp-302/trial_T1",
    "train/pick_and_place_simple-Mug-None-Desk-301/trial_T2",
    "valid_seen/pick_heat_then_place_in_recep-Egg-None-Fridge-4/trial_T9",
)


def grammar(goal: str) -> str:
    return 'grammar :: """{"task": [{"rhs": "' + goal + '"}], "other": [{"rhs": "a \\n b"}]}""";\n'


def game(task_id: str, **changes: Any) -> GameText:
    thing = task_id.split("/")[1].split("-")[1].lower()
    fields: dict[str, Any] = {
        "task_id": task_id,
        "domain": DOMAIN,
        "grammar": grammar(f"Your task is to: do something with the {thing}."),
        "problem": f"(define (problem plan_{task_id.replace('/', '_')}))\n",
        "walkthrough": ("go to desk 1", f"take {thing} 1 from desk 1"),
        "annotations": (f"Bring the {thing}.", f"Fetch {thing}, please."),
    }
    return GameText(**{**fields, **changes})


def games(ids: Iterable[str] = IDS) -> list[GameText]:
    return [game(task_id) for task_id in ids]


def game_file(text: GameText, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "pddl_domain": text.domain,
        "grammar": text.grammar,
        "pddl_problem": text.problem,
        "solvable": True,
        "walkthrough": None if text.walkthrough is None else list(text.walkthrough),
    }
    return json.dumps({**fields, **changes}).encode()


def trajectory_file(text: GameText) -> bytes:
    described: list[dict[str, object]] = [{"task_desc": line, "high_descs": []} for line in text.annotations]
    return json.dumps({"task_type": "x", "turk_annotations": {"anns": described}}).encode()


def write_folder(root: Path, texts: Iterable[GameText]) -> Path:
    """``root`` as the folder that holds the splits."""
    for text in texts:
        folder = root / text.task_id
        folder.mkdir(parents=True)
        (folder / "game.tw-pddl").write_bytes(game_file(text))
        (folder / "traj_data.json").write_bytes(trajectory_file(text))
    return root


def members(texts: Sequence[GameText]) -> list[tuple[str, bytes]]:
    rows: list[tuple[str, bytes]] = []
    for text in texts:
        rows.append((f"json_2.1.1/{text.task_id}/game.tw-pddl", game_file(text)))
        rows.append((f"json_2.1.1/{text.task_id}/traj_data.json", trajectory_file(text)))
    return rows


def write_tar(path: Path, rows: Iterable[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as archive:
        for name, content in rows:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def zip_of(rows: Iterable[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("json_2.1.1/"), "")
        for name, one in rows:
            archive.writestr(zipfile.ZipInfo(name), one, zipfile.ZIP_DEFLATED)
    return content.getvalue()


@contextmanager
def served_archives() -> Generator[Files]:
    """A server that has the benchmark's two archives of :func:`games`, under the paths a download asks for."""
    rows = members(games())
    with file_server() as served:
        served.content[f"/{GAMES}"] = zip_of(row for row in rows if row[0].endswith("pddl"))
        served.content[f"/{TRAJECTORIES}"] = zip_of(row for row in rows if row[0].endswith("json"))
        yield served
