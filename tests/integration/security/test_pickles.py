"""A checkpoint that is a program is refused, and the program does not run: weights are read as safetensors alone."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]  # a path of any kind

from services.agent.adapter import open_adapter
from services.agent.backends.transformers import load_model
from services.agent.checkpoint import open_checkpoint
from services.agent.settings import AgentSettings
from shared.errors import RestepError
from tests.support.tiny_adapter import tiny_adapter
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base


class Program:
    """What runs when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Is there when the program ran."""
    return tmp_path / "ran"


@pytest.fixture(params=["program", "weights"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, trace: Path) -> Path:
    """A checkpoint whose weights are a pickle: one that holds a program, or one that would be harmless."""
    folder = tiny_checkpoint(tmp_path / "checkpoint")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    if request.param == "program":
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Program(trace)))
    else:
        torch.save(weights, folder / "pytorch_model.bin")
    return folder


def test_a_pickle_does_what_it_says_it_does(trace: Path) -> None:
    pickle.loads(pickle.dumps(Program(trace)))
    assert trace.exists()


def test_the_agent_refuses_it(folder: Path, trace: Path) -> None:
    with pytest.raises(RestepError) as caught:
        load_model(open_checkpoint(str(folder)), AgentSettings(checkpoint=str(folder)))
    assert caught.value.code == "unsuitable_model"
    assert not trace.exists()


def test_the_trainer_refuses_it(folder: Path, trace: Path) -> None:
    with pytest.raises(RestepError) as caught:
        open_base(str(folder)).load()
    assert caught.value.code == "checkpoint_not_found"
    assert not trace.exists()


def test_an_adapter_is_no_exception(tmp_path: Path, trace: Path) -> None:
    adapter = tiny_adapter(tmp_path / "skill", tiny_checkpoint(tmp_path / "base"))
    (adapter / "adapter_model.safetensors").unlink()
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps(Program(trace)))
    with pytest.raises(RestepError, match="unsuitable_model"):
        open_adapter(str(adapter), None)
    assert not trace.exists()


def test_code_that_a_checkpoint_brings_along_is_not_run(tmp_path: Path, trace: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "checkpoint")
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(trace)!r}).touch()\nclass Evil: ...\n")
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "evil", "auto_map": auto}))
    with pytest.raises(RestepError):
        load_model(open_checkpoint(str(folder)), AgentSettings(checkpoint=str(folder)))
    with pytest.raises(RestepError):
        open_base(str(folder)).load()
    assert not trace.exists()
