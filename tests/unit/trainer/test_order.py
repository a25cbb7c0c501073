from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from shared.protocol import TaskInfo
from tests.support.tiny_model import tiny_tokenizer
from trainer.golden import GoldenConfig
from trainer.order import Order, StudentOrder, TeacherOrder, store_address
from trainer.reflect import ReflectConfig
from trainer.render import Renderer
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.teacher.options import EndpointOptions, TeacherOptions

POSTGRES = "postgresql://user@database/restep"
ENDPOINT = EndpointOptions(url="http://127.0.0.1:1/v1", model="m")


def order() -> Order:
    return Order(
        run="golden/corridor",
        tasks=(TaskInfo(id="lamp/1", split="train", type="lamp"),),
        episode=EpisodeConfig(),
        layout="turn",
        config=GoldenConfig(),
        store=POSTGRES,
        namespace=None,
        environment=("http://one:1", "http://two:1"),
        student=None,
        teacher=None,
        books=Path("/runs/x/golden.db"),
    )


def test_an_order_crosses_processes_whole() -> None:
    renderer = Renderer.from_tokenizer(tiny_tokenizer())
    student = StudentOrder(("http://agent:1",), "/runs/x/arms/one", renderer, SamplingConfig())
    got = pickle.loads(pickle.dumps(replace(order(), student=student)))
    assert replace(got, student=None) == order()
    assert got.student.renderer.start("Be.", "Go.").ids == renderer.start("Be.", "Go.").ids


def test_what_binds_an_order_to_a_machine_is_named() -> None:
    def taught(**options: object) -> Order:
        teacher = TeacherOrder(TeacherOptions.model_validate(options), Path("/runs/x/teacher"), "golden/corridor")
        return replace(order(), config=ReflectConfig(), teacher=teacher)

    assert order().on_this_machine is None
    assert taught(kind="expert").on_this_machine is None
    for bound, word in (
        (replace(order(), store="sqlite:////runs/x/trajectories.db"), "trajectories.db is a file"),
        (replace(order(), config=GoldenConfig(player="endpoint", endpoint=ENDPOINT)), "golden.endpoint"),
        (taught(kind="llm", endpoint=ENDPOINT), "teacher.endpoint"),
    ):
        assert word in (bound.on_this_machine or "")


def test_variables_that_name_files_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEP_TOKEN_FILE", "/etc/token")
    monkeypatch.setenv("RESTEP_TEACHER_KEY", "secret")
    monkeypatch.setenv("PGPASSWORD", "secret")
    made = order()
    assert made.variables["RESTEP_TOKEN_FILE"] == "/etc/token"
    assert "secret" not in repr(made)


def test_a_stores_file_has_the_same_address_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_address("sqlite:///runs/x.db") == f"sqlite:///{tmp_path}/runs/x.db"
    assert store_address(POSTGRES) == POSTGRES
