"""A wrong recipe is refused at once, with the field named; a right one says everything an experiment does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import RestepError
from trainer.recipe import load_recipe, packaged_recipes


def refused(settings: list[str], source: str = "demo") -> str:
    with pytest.raises(RestepError) as caught:
        load_recipe(source, settings)
    assert caught.value.code == "invalid_recipe"
    return caught.value.detail


@pytest.mark.parametrize("name", packaged_recipes())
def test_every_packaged_recipe_is_right(name: str) -> None:
    assert load_recipe(name).arms


def test_the_demo_compares_the_four_arms() -> None:
    recipe = load_recipe("demo")
    assert list(recipe.arms) == ["golden-small", "golden-all", "step", "step-unmasked"]
    assert recipe.arms["step"].weights.mask_errors
    assert not recipe.arms["step-unmasked"].weights.mask_errors
    sciworld = recipe.environments["sciworld"]
    assert sciworld.evaluation_tasks.split != sciworld.tasks.split


def test_settings_are_laid_over_the_recipe() -> None:
    recipe = load_recipe(
        "demo", ["environments.sciworld.tasks.per_type=3", "name=small", "evaluation.collection.concurrency=2"]
    )
    found = (recipe.name, recipe.environments["sciworld"].tasks.per_type, recipe.evaluation.collection.concurrency)
    assert found == ("small", 3, 2)


def test_an_unknown_field_is_named() -> None:
    assert "golden.colour" in refused(["golden.colour=blue"])


def test_a_wrong_value_is_named() -> None:
    assert "environments.sciworld.tasks.per_type: " in refused(["environments.sciworld.tasks.per_type=many"])


def test_the_evaluation_must_not_be_on_the_training_split() -> None:
    complaint = refused(["environments.sciworld.evaluation_tasks.split=train"])
    assert complaint == "environments.sciworld.evaluation_tasks.split: 'train' is what the student is trained on"


def test_every_environment_is_checked() -> None:
    complaint = refused(["environments.webshop.tasks.split=test"])
    assert complaint.startswith("environments.webshop.evaluation_tasks.split: ")


def test_there_is_at_least_one_environment_and_its_name_is_a_name() -> None:
    assert refused(["environments={}"]).startswith("environments: ")
    assert "environments.a/b" in refused(["environments.a/b={}"])


def test_several_environments_each_have_their_own_tasks_and_protocol() -> None:
    environments = load_recipe("demo", ["environments.webshop.episode.max_steps=15"]).environments
    found = {name: (options.tasks.split, options.episode.max_steps) for name, options in environments.items()}
    assert found == {"sciworld": ("train", 20), "alfworld": ("embedded_train", 30), "webshop": ("train", 15)}


def test_the_student_must_not_need_what_it_collects() -> None:
    assert "student" in refused(["student=step"])


def test_an_arm_may_start_from_another() -> None:
    recipe = load_recipe("demo", ["arms.step.start=golden-small"])
    assert recipe.lineage("step") == ["step", "golden-small"]


def test_every_ablation_is_an_option_of_an_arm_and_has_a_name() -> None:
    departures = {name: arm.departures() for name, arm in load_recipe("ablations").arms.items()}
    assert departures == {
        "golden-small": {},
        "golden-all": {},
        "step": {},
        "unmasked": {"weights.mask_errors": False},
        "no-reflection": {"without": ["reflection"]},
        "prefix-masked": {"weights.mask_prefix": True},
        "no-errors": {"without": ["error"]},
        "per-turn": {"weights.normalisation": "turn"},
        "per-trajectory": {"weights.normalisation": "trajectory"},
        "golden-matched": {"matched": "step"},
        "unmasked-matched": {"weights.mask_errors": False, "matched": "step"},
    }


def test_the_arm_that_another_is_matched_to_is_trained_first() -> None:
    recipe = load_recipe("ablations", ["arms.step.start=golden-small"])
    assert recipe.lineage("unmasked-matched") == ["unmasked-matched", "step", "golden-small"]


@pytest.mark.parametrize("matched", ["best", "step", "matched-to-step"])
def test_an_arm_is_matched_to_one_that_does_not_need_it(matched: str) -> None:
    others = "arms.matched-to-step={data: [golden_u1], matched: step}"
    assert refused([others, f"arms.step.matched={matched}"]).startswith("arms.")


def test_the_student_must_not_be_matched_to_what_it_collects() -> None:
    assert "student" in refused(["arms.golden-small.matched=step"])


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("arms.step.without=[golden]", "arms.step.without"),
        ("arms.step.weights={mask_prefix: true, mask_errors: false}", "arms.step.weights: mask_prefix"),
        ("arms.step={data: [golden_u1], weights: {mask_prefix: true}, without: [error]}", "arms.step: weights.mask_prefix"),
        ("arms.step.weights.normalization=turn", "arms.step.weights.normalization"),
        ("finetune.peak_tflops=0", "finetune.peak_tflops"),
    ],
)
def test_a_wrong_ablation_is_named(setting: str, field: str) -> None:
    assert refused([setting]).startswith(field)


@pytest.mark.parametrize("start", ["step", "best"])
def test_an_arm_must_start_from_one_before_it(start: str) -> None:
    assert "arms.step.start" in refused([f"arms.step.start={start}"])


def test_the_student_must_not_descend_from_what_it_collects() -> None:
    assert "student" in refused(["arms.golden-small.start=step"])


def test_an_arm_that_is_not_there_is_named() -> None:
    assert "reference" in refused(["reference=best"])


@pytest.mark.parametrize("setting", ["novalue", "=1", "name.sub=1", "a..b=1"])
def test_a_setting_must_be_a_path_and_a_value(setting: str) -> None:
    assert "--set" in refused([setting])


def test_a_teacher_that_is_a_language_model_needs_an_endpoint_and_takes_no_key() -> None:
    assert refused(["teacher.kind=llm"]) == "teacher: endpoint: a teacher of kind 'llm' needs one"
    assert "teacher.endpoint.key" in refused(["teacher={kind: llm, endpoint: {url: 'http://h/v1', model: m, key: secret}}"])


def test_a_private_reference_needs_privileged_facts() -> None:
    hybrid = "teacher={kind: hybrid, endpoint: {url: 'http://h/v1', model: m}}"
    assert load_recipe("demo", [hybrid]).teacher.shown == "expert"
    assert "teacher.reference" in refused([hybrid, "reflected.privileged=false"])


def test_where_a_reflection_stands_is_a_choice() -> None:
    assert load_recipe("demo").reflected.layout == "turn"
    assert load_recipe("demo", ["reflected.layout=message"]).reflected.layout == "message"
    assert refused(["reflected.layout=own"]) == "reflected.layout: Input should be 'turn' or 'message'"


def test_a_missing_file_says_which_recipes_there_are() -> None:
    assert "demo" in refused([], "nowhere.yaml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "name: [", ""])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    refused([], str(path))


def test_a_wrong_recipe_is_refused_before_anything_heavy_is_imported() -> None:
    script = """
import sys
from shared.errors import RestepError
from trainer.cli import app
try:
    app(["finetune", "demo", "step", "--set", "finetune.epoch=3"], standalone_mode=False)
except RestepError as error:
    print(error.code, error.detail.partition(":")[0], sorted({"torch", "transformers", "matplotlib"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "invalid_recipe finetune.epoch []\n"
