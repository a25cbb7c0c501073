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
from trainer.teacher.prompts import load_prompts

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
    )


def test_an_order_crosses_processes_whole() -> None:
    renderer = Renderer.from_tokenizer(tiny_tokenizer())
    student = StudentOrder(("http://agent:1",), "/runs/x/arms/one", renderer, SamplingConfig())
    got = pickle.loads(pickle.dumps(replace(order(), student=student)))
    assert replace(got, student=None) == order()
    assert got.student.renderer.start("Be.", "Go.").ids == renderer.start("Be.", "Go.").ids


def taught(**options: object) -> Order:
    teacher = TeacherOrder(TeacherOptions.model_validate(options), "golden/corridor", load_prompts("corridor"))
    return replace(order(), config=ReflectConfig(), teacher=teacher)


def test_what_binds_an_order_to_a_machine_is_its_store_and_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEP_TEACHER_KEY", "secret")
    played = replace(order(), config=GoldenConfig(player="endpoint", endpoint=ENDPOINT))
    for made in (order(), played, taught(kind="llm", endpoint=ENDPOINT)):
        assert made.on_this_machine is None
        filed = replace(made, store="sqlite:////runs/x/trajectories.db")
        assert "trajectories.db is a file" in (filed.on_this_machine or "")
        sent = pickle.dumps(made)
        assert b"secret" not in sent
        assert pickle.loads(sent) == made


def test_a_key_file_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("secret\n")
    monkeypatch.chdir(tmp_path)
    endpoint = EndpointOptions(url="http://127.0.0.1:1/v1", model="m", key_file=Path("key"))
    monkeypatch.chdir("/")
    assert endpoint.key() == "secret"


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
