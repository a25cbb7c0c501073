from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from services.sciworld.instruction import INSTRUCTION
from services.sciworld.thoughts import thought
from shared.errors import RestepError
from trainer.copy_accuracy import CopyProbe
from trainer.mixture import Block, Mixture, Source
from trainer.play import Kind, Play, PlayStep
from trainer.pretrain import command, held_out, pretrain, pretrain_config, vocabulary_names
from trainer.pretrain_loop import CHECKPOINT, PretrainLoop, Schedule, Shape, make_model, rate_scale, weighted_nll
from trainer.shipped import FOLDER
from trainer.vocabulary import forms, load_tokenizer
from trainer.worlds.alfworld import AlfworldPlays, AlfworldWorld
from trainer.worlds.sciworld import SciworldPlays, SciworldWorld
from trainer.worlds.sciworld_exercises import doing
from trainer.worlds.sciworld_look import listed_names

LOOK = "This room is called the kitchen. In it, you see: \n" + "\n".join(f"\ta {name}" for name in ("red box", "banana", "jug"))
KITCHEN = (
    "This room is called the kitchen. In it, you see: \n\tthe agent\n\ta substance called air\n"
    "\ta counter. On the counter is: a bowl (containing a red apple, a banana), a drawer.\n"
    "\ta glass jar (containing a substance called sodium chloride)\n\ta green box (containing nothing)\n"
    "\ta sink, which is turned off. In the sink is: nothing.\nYou also see:\n\tA door to the hallway (that is open)"
)
NAMES = ["red box", "banana", "jug", "axe", "lighter", "bowl", "shovel", "battery", "wolf", "bed", "cup", "drawer"]
KINDS: tuple[tuple[Kind, str], ...] = (("errand", ""), ("expert", "easy"))
TINY = Shape(hidden=16, layers=1, head=8, feed_forward=16)


WORLD = SciworldWorld(SciworldPlays())


def plays() -> list[Play]:
    step = PlayStep("pick up banana", "You move the banana to the inventory.", ("pick", "banana"))
    return [Play("errand", f"boil/{i}", "goal", LOOK, (step,)) for i in range(80)]


def loop(out: Path, schedule: Schedule) -> PretrainLoop:
    tokenizer = load_tokenizer(FOLDER)
    return PretrainLoop(TINY, schedule, Mixture([Source(WORLD, plays(), NAMES)], tokenizer, tokenizer, 0), tokenizer, out)


def weights(model: Any) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def test_the_loss_is_the_weighted_sum_over_predicted_tokens_and_padding_changes_nothing() -> None:
    model: Any = make_model(TINY, load_tokenizer(FOLDER), 0)
    ids = np.array([[5, 9, 300, 41, 7]])
    weight = np.array([[1.0, 0.0, 0.3, 1.0, 1.0]], dtype=np.float32)
    logits = model(input_ids=torch.from_numpy(ids)).logits[0].double().log_softmax(-1)
    expected = -(0.3 * logits[1, 300] + logits[2, 41] + logits[3, 7])
    wanted = pytest.approx(float(expected.detach()), rel=1e-5)
    assert float(weighted_nll(model, Block(ids, weight), half=False).detach()) == wanted
    padded = Block(np.pad(ids, ((0, 0), (0, 3))), np.pad(weight, ((0, 0), (0, 3))))
    assert float(weighted_nll(model, padded, half=False).detach()) == wanted


def test_key_and_value_heads_are_shared_by_groups_of_heads() -> None:
    model: Any = make_model(Shape(), load_tokenizer(FOLDER), 0)
    assert (model.config.num_attention_heads, model.config.num_key_value_heads) == (4, 2)


def test_the_command_names_what_was_changed_and_makes_the_same_run(tmp_path: Path) -> None:
    assert command(pretrain_config(tmp_path)) == "restep pretrain FOLDER"
    settings = ["processes=1", "schedule.tokens=5000", 'play.sciworld.unseen=["find-"]']
    changed = pretrain_config(tmp_path, settings)
    told = command(changed)
    assert sorted(told.split(" --set ")[1:]) == sorted(settings)
    assert pretrain_config(tmp_path, told.split(" --set ")[1:]) == changed


@pytest.mark.parametrize("fields", [{"head": 48}, {"kv_heads": 3}])
def test_a_shape_that_does_not_divide_is_refused_when_it_is_read(tmp_path: Path, fields: dict[str, int]) -> None:
    settings = [f"shape.{name}={value}" for name, value in fields.items()]
    with pytest.raises(RestepError, match=r"shape: .*must divide"):
        pretrain_config(tmp_path, settings)


def test_embeddings_are_untied_and_start_equal() -> None:
    model: Any = make_model(TINY, load_tokenizer(FOLDER), 0)
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    assert model.config.tie_word_embeddings is False


def test_the_forms_of_a_word_begin_alike_and_other_words_do_not() -> None:
    tokenizer = load_tokenizer(FOLDER)
    model: Any = make_model(Shape(), tokenizer, 0)
    rows = torch.nn.functional.normalize(model.model.embed_tokens.weight.detach(), dim=1)
    for word in ("navy", "coconut"):
        numbers = [tokenizer.encode(form) for form in forms([word])]
        assert [len(number) for number in numbers] == [1] * 4
        alike = rows[[number[0] for number in numbers]] @ rows.T
        assert float(alike[:, [number[0] for number in numbers]].min()) > 0.2
        assert float(alike[1:, numbers[0][0]].min()) > 0.45
        [other] = tokenizer.encode("metal")
        assert float(alike[:, other].abs().max()) < 0.4


def test_the_rate_warms_up_stays_and_falls_to_zero() -> None:
    schedule = Schedule(warmup=0.1, decay=0.5)
    assert rate_scale(schedule, 0.0) < 0.01
    assert rate_scale(schedule, 0.2) == rate_scale(schedule, 0.5) == 1.0
    assert rate_scale(schedule, 0.75) == pytest.approx(0.5)
    assert rate_scale(schedule, 1.0) == 0.0


def test_a_run_that_was_stopped_ends_in_the_same_weights(tmp_path: Path) -> None:
    schedule = Schedule(tokens=600, batch_tokens=150, block_tokens=300, half=False)
    straight = loop(tmp_path / "straight", schedule)
    for _ in range(4):
        straight.step()
    stopped = loop(tmp_path / "stopped", schedule)
    stopped.step()
    stopped.step()
    stopped.save()
    resumed = loop(tmp_path / "stopped", schedule)
    assert resumed.counts == stopped.counts
    resumed.run(lambda _: {})
    assert torch.equal(weights(resumed.model), weights(straight.model))
    assert (tmp_path / "stopped" / CHECKPOINT).exists()


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    trained = loop(tmp_path, Schedule(tokens=12_000, batch_tokens=400, block_tokens=800, half=False))
    losses = [trained.step() for _ in range(30)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_held_out_tasks_are_few_stable_and_a_matter_of_the_task_alone() -> None:
    some = [Play(kind, f"boil/{i}", "", "", (), {"simplification": s}) for i in range(2000) for kind, s in KINDS]
    out = [play.task_id for play in some if held_out(play)]
    assert 2 * 20 < len(out) < 2 * 90
    assert out[::2] == out[1::2]


def test_names_are_those_seen_in_two_plays_and_every_place() -> None:
    rare = Play("errand", "boil/1", "", LOOK + "\n\ta wolf", ())
    assert vocabulary_names([*plays(), rare], WORLD) == [*WORLD.places, "red box", "banana", "jug"]
    house = Play("errand", "embedded_train/x", "", "Looking quickly around you, you see a desk 2, and a desk 1.", ())
    assert vocabulary_names([house, house], AlfworldWorld(AlfworldPlays())) == ["desk"]


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(RestepError, match=r"shape\.hiden"):
        pretrain_config(tmp_path, ["shape.hiden=3"])
    assert pretrain_config(tmp_path, ["schedule.tokens=1000"]).schedule.tokens == 1000


def test_the_shipped_base_copies_the_goals_names_into_thought_and_action() -> None:
    tokenizer = load_tokenizer(FOLDER)
    model: Any = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    told = [doing(KITCHEN, INSTRUCTION, thought, random.Random(seed)) for seed in range(40)]
    probe = CopyProbe([dialogue for dialogue in told if dialogue], listed_names(KITCHEN), tokenizer)
    measured = probe.measure(model)
    assert measured["action_name"] > 0.9
    assert measured["thought_name"] > 0.9
    untrained = probe.measure(make_model(TINY, tokenizer, 0))
    assert untrained["action_name"] < 0.3


@pytest.mark.slow
def test_the_whole_command_on_the_real_engines(tmp_path: Path) -> None:
    small = [
        "play.sciworld.plays=12",
        "play.alfworld.plays=40",
        "play.alfworld.rooms=12",
        "play.webshop.plays=40",
        "play.webshop.products=600",
        "play.sessions=2",
        "vocabulary.phrases=20",
        "vocabulary.words=400",
    ]
    tiny = ["shape.hidden=16", "shape.layers=1", "shape.head=8", "shape.feed_forward=16"]
    short = ["schedule.tokens=600", "schedule.batch_tokens=200", "processes=2"]
    out = pretrain(pretrain_config(tmp_path / "base", [*small, *tiny, *short]))
    model: Any = AutoModelForCausalLM.from_pretrained(out)
    assert model.dtype == torch.float32
    card = json.loads((out / "card.json").read_text())
    assert card["tokens"] == 600
    splits = {name: played["split"] for name, played in card["plays"].items()}
    assert splits == {"sciworld": "train", "alfworld": "embedded_train", "webshop": "train"}
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    assert load_tokenizer(out).chat_template
