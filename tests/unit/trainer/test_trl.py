"""TRL's SFTTrainer takes our step on the rows that are exported for it; what it does with a flag on a message is its own."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets.utils import logging as datasets_logging

from shared.react import first_message
from shared.store import TrajectoryStore
from tests.support.masked_reference import load, relative_error, step
from tests.support.tiny_model import tiny_checkpoint, tiny_tokenizer
from tests.support.trajectories import sample
from tests.support.trl_reference import trl_step, trl_trainer
from trainer.chat_messages import assistant_turns
from trainer.exports.formats import export_collection
from trainer.pack import Pack
from trainer.render import KINDS, Rendered, Renderer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer.from_tokenizer(TOKENIZER)
ERROR = KINDS.index("error")
GENERATION = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}"
    "{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML with the marks by which TRL tells what the assistant says."""


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Prepared rows are kept nowhere but in the test's own folder."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    shown = datasets_logging.is_progress_bar_enabled()
    datasets_logging.disable_progress_bar()
    yield
    if shown:
        datasets_logging.enable_progress_bar()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("trl"))


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Any:
    return load(checkpoint)


@pytest.fixture(params=["jsonl", "parquet"])
def rows(request: pytest.FixtureRequest, checkpoint: Path, tmp_path: Path) -> datasets.Dataset:
    """The sample as it is exported for TRL and loaded from the file."""
    path = tmp_path / f"rows.{request.param}"
    with TrajectoryStore(tmp_path / "store.db") as store:
        for attempt, one in enumerate(sample()):
            store.commit(one, attempt=attempt, kept=True)
        export_collection(store, "test", path, "trl", kept=True, checkpoint=str(checkpoint))
    kind = {"jsonl": "json", "parquet": "parquet"}[request.param]
    loaded = datasets.load_dataset(kind, data_files=str(path), split="train")
    assert isinstance(loaded, datasets.Dataset)
    return loaded


@pytest.fixture(scope="module")
def documents() -> list[Rendered]:
    return [RENDERER.render(one) for one in sample()]


@pytest.mark.parametrize(
    ("options", "layout"),
    [
        ({"per_device_train_batch_size": 3}, [[0, 1, 2]]),
        ({"per_device_train_batch_size": 1, "gradient_accumulation_steps": 3}, [[0], [1], [2]]),
        ({"per_device_train_batch_size": 1, "packing": True}, [[2, 1, 0]]),
    ],
    ids=["padded", "accumulated", "packed"],
)
def test_it_gives_our_loss_and_our_gradient(
    options: dict[str, Any],
    layout: list[list[int]],
    model: Any,
    rows: datasets.Dataset,
    documents: list[Rendered],
    tmp_path: Path,
) -> None:
    loss, gradients = trl_step(model, TOKENIZER, rows, tmp_path / "trl", **options)
    packs = [Pack(tuple(documents[index] for index in row)) for row in layout]
    line, ours = step(model, packs, tmp_path / "ours", accumulation=len(packs))
    assert loss == pytest.approx(line["loss"], rel=1e-5)
    assert relative_error(gradients, {name: one.double() for name, one in ours.items()}) < 1e-5


def test_it_trains_a_message_marked_as_not_to_be_trained_which_ours_does_not(
    model: Any, documents: list[Rendered], tmp_path: Path
) -> None:
    one, rendered = sample()[0], documents[0]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": one.protocol.system, "loss": False},
        {"role": "user", "content": first_message(one.task.goal, one.observation), "loss": False},
    ]
    for turn in assistant_turns(one.steps):
        trained = all(step.loss > 0 for step in turn)
        messages.append({"role": "assistant", "content": "".join(step.text for step in turn), "loss": trained})
        messages.append({"role": "user", "content": turn[-1].observation, "loss": False})
    rows = datasets.Dataset.from_list([{"messages": messages[:-1]}])
    tokenizer = tiny_tokenizer(chat_template=GENERATION)
    trainer = trl_trainer(model, tokenizer, rows, tmp_path / "trl", assistant_only_loss=True)
    (prepared,) = list(trainer.train_dataset)
    length = len(rendered)
    assert prepared["input_ids"][:length] == rendered.input_ids.tolist()
    theirs, ours = np.array(prepared["labels"][:length]) != -100, rendered.weights > 0
    errors = rendered.kinds == ERROR
    assert errors.any()
    assert theirs[errors].all()
    assert not ours[errors].any()
    assert np.array_equal(theirs[~errors], ours[~errors])
