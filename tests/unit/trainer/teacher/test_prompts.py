from pathlib import Path
from typing import Any

import pytest
import yaml

from services.alfworld.instruction import ACTION_GRAMMAR as ALFWORLD
from services.sciworld.instruction import ACTION_GRAMMAR as SCIWORLD
from services.webshop.instruction import ACTION_GRAMMAR as WEBSHOP
from shared.errors import RestepError
from shared.protocol import ERROR_DECISIONS
from trainer.teacher.prompts import PACKAGED, load_prompts

GRAMMARS = {"alfworld": ALFWORLD, "sciworld": SCIWORLD, "webshop": WEBSHOP}


@pytest.mark.parametrize("environment", [*GRAMMARS, "default"])
def test_examples_show_right_and_wrong_steps(environment: str) -> None:
    prompts = load_prompts(environment)
    decisions = {example.judgement.decision for example in prompts.lessons.examples}
    assert decisions & ERROR_DECISIONS
    assert decisions - ERROR_DECISIONS
    assert prompts.source == f"{environment}/v1"


@pytest.mark.parametrize("environment", list(GRAMMARS))
def test_corrections_of_examples_follow_the_action_grammar(environment: str) -> None:
    """Words of a template that are not placeholders open the action."""
    openings = {template.split("[")[0].split(" ")[0] for template in GRAMMARS[environment]}
    for example in load_prompts(environment).lessons.examples:
        actions = [*example.expert, *([example.correction.action] if example.correction else [])]
        assert all(action.split("[")[0].split(" ")[0] in openings for action in actions)
        if example.correction and example.expert:
            assert example.correction.action == example.expert[0]


def test_an_environment_without_prompts_of_its_own_gets_those_for_any() -> None:
    assert load_prompts("corridor").source == "default/v1"


def test_prompts_may_be_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "house"
    own.mkdir()
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "v7.yaml").write_bytes((PACKAGED / "common" / "v1.yaml").read_bytes())
    (own / "v7.yaml").write_bytes((PACKAGED / "default" / "v1.yaml").read_bytes())
    assert load_prompts("house", "v7", tmp_path).source == "house/v7"


def written(folder: Path, **changes: Any) -> Path:
    """A folder of prompts with one field of the lessons changed."""
    for name in ("common", "default"):
        (folder / name).mkdir()
        (folder / name / "v1.yaml").write_bytes((PACKAGED / name / "v1.yaml").read_bytes())
    lessons = yaml.safe_load((folder / "default" / "v1.yaml").read_text())
    (folder / "default" / "v1.yaml").write_text(yaml.safe_dump(lessons | changes))
    return folder


def test_a_version_that_is_not_there_is_named() -> None:
    with pytest.raises(RestepError, match=r"data_not_found.*v99\.yaml"):
        load_prompts("sciworld", "v99")


@pytest.mark.parametrize("changes", [{"examples": []}, {"colour": "blue"}])
def test_a_wrong_file_is_named_with_its_field(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RestepError, match=rf"data_corrupt.*default/v1\.yaml: {next(iter(changes))}"):
        load_prompts("x", folder=written(tmp_path, **changes))


def test_an_error_without_its_correction_is_no_example(tmp_path: Path) -> None:
    examples = yaml.safe_load((PACKAGED / "default" / "v1.yaml").read_text())["examples"]
    del examples[1]["correction"]
    with pytest.raises(RestepError, match=r"examples\.1: .*an error has a correction"):
        load_prompts("x", folder=written(tmp_path, examples=examples))


def test_what_is_no_yaml_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "common" / "v1.yaml").write_text("role: [")
    with pytest.raises(RestepError, match="data_corrupt"):
        load_prompts("x", folder=folder)
