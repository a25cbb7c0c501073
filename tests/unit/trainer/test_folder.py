"""A run's folder belongs to one recipe, and remembers what it took across restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import RestepError
from shared.protocol import TaskInfo
from tests.support.documents import make_trajectory
from trainer.folder import RunFolder, collection_name
from trainer.recipe import load_recipe


def test_the_same_recipe_goes_on(tmp_path: Path) -> None:
    first = RunFolder.claim(load_recipe("demo"), tmp_path)
    assert RunFolder.claim(load_recipe("demo"), tmp_path).path == first.path


def test_where_it_runs_may_change(tmp_path: Path) -> None:
    RunFolder.claim(load_recipe("demo"), tmp_path)
    elsewhere = ["environments.sciworld.url=http://127.0.0.1:1", "environments.sciworld.workers=7"]
    otherwise = ["finetune.sharding=full", "finetune.activation_checkpointing=true", "finetune.save_steps=7"]
    RunFolder.claim(load_recipe("demo", [*elsewhere, *otherwise]), tmp_path)


TEACHER = "teacher={kind: llm, endpoint: {url: 'http://127.0.0.1:1/v1', model: m}, budget: {tokens: 10}}"


def test_what_a_teacher_may_cost_may_change_and_who_it_is_may_not(tmp_path: Path) -> None:
    RunFolder.claim(load_recipe("demo", [TEACHER]), tmp_path)
    movable = ["teacher.budget.tokens=99", "teacher.endpoint.url=http://127.0.0.1:2/v1", "teacher.endpoint.timeout=9"]
    RunFolder.claim(load_recipe("demo", [TEACHER, *movable]), tmp_path)
    with pytest.raises(RestepError, match=r"was begun with another teacher\.endpoint\.model \(m, not n\)"):
        RunFolder.claim(load_recipe("demo", [TEACHER, "teacher.endpoint.model=n"]), tmp_path)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("environments.sciworld.tasks.per_type=3", r"with another environments\.sciworld\.tasks\.per_type \(50, not 3\)"),
        ("environments.sciworld.episode.max_steps=9", r"with another environments\.sciworld\.episode\.max_steps \(20, not 9\)"),
        ("environments.sciworld.episode.options={}", r"with environments\.sciworld\.episode\.options\.simplification"),
        ("environments.elsewhere={}", r"without environments\.elsewhere"),
        ("seed=7", r"with another seed \(0, not 7\)"),
    ],
)
def test_another_recipe_is_refused_with_the_field_named(tmp_path: Path, setting: str, complaint: str) -> None:
    RunFolder.claim(load_recipe("demo"), tmp_path)
    with pytest.raises(RestepError, match=f"was begun {complaint}") as caught:
        RunFolder.claim(load_recipe("demo", [setting]), tmp_path)
    assert caught.value.code == "invalid_recipe"


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_damaged_recipe_file_is_named(tmp_path: Path, text: str) -> None:
    folder = RunFolder.claim(load_recipe("demo"), tmp_path)
    (folder.path / "recipe.json").write_text(text)
    with pytest.raises(RestepError, match=r"recipe\.json") as caught:
        RunFolder.claim(load_recipe("demo"), tmp_path)
    assert caught.value.code == "data_corrupt"


def test_an_environment_may_not_be_dropped(tmp_path: Path) -> None:
    RunFolder.claim(load_recipe("demo", ["environments.elsewhere={}"]), tmp_path)
    with pytest.raises(RestepError, match=r"was begun with environments\.elsewhere"):
        RunFolder.claim(load_recipe("demo"), tmp_path)


def test_collections_are_named_by_stage_arm_and_environment() -> None:
    assert collection_name("golden", "sciworld") == "golden/sciworld"
    assert collection_name("evaluation", "webshop", "step") == "evaluation/step/webshop"


def test_seconds_add_up_over_restarts(tmp_path: Path) -> None:
    folder = RunFolder.claim(load_recipe("demo"), tmp_path)
    with folder.timed("golden"):
        pass
    with pytest.raises(KeyboardInterrupt), folder.timed("reflected"):
        raise KeyboardInterrupt
    assert set(RunFolder(folder.path).seconds()) == {"golden", "reflected"}


def test_a_folder_that_is_no_run_has_no_store(tmp_path: Path) -> None:
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(RestepError) as caught:
            RunFolder(folder).store()
        assert caught.value.code == "data_not_found"
    assert not list(tmp_path.iterdir()), "nothing is left in a folder that is not ours"


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RestepError) as caught:
        RunFolder.claim(load_recipe("demo"), tmp_path / "file")
    assert caught.value.code == "store_failed"


def test_experiments_share_a_store_by_their_names(tmp_path: Path, place: str) -> None:
    for name in ("one", "two"):
        folder = RunFolder.claim(load_recipe("demo", [f"name={name}", f"store='{place}'"]), tmp_path)
        with folder.store() as store:
            assert store.runs() == []
            store.commit(make_trajectory(name, run="golden/sciworld"), kept=True)
            assert [one.task.id for one in store.trajectories("golden/sciworld")] == [name]
    with RunFolder(tmp_path / "two").store() as store:
        assert store.runs() == ["golden/sciworld"]
    with RunFolder(tmp_path / "on-another-machine" / "two", place).store() as store:
        assert [one.task.id for one in store.trajectories("golden/sciworld")] == ["two"]


def test_a_shared_store_knows_the_recipe_that_began_it(tmp_path: Path, place: str) -> None:
    store = f"store='{place}'"
    RunFolder.claim(load_recipe("demo", [store]), tmp_path / "here")
    RunFolder.claim(load_recipe("demo", [store, "environments.sciworld.workers=7"]), tmp_path / "there")
    with pytest.raises(RestepError, match=r"'demo' was begun with another seed \(0, not 7\)") as caught:
        RunFolder.claim(load_recipe("demo", [store, "seed=7"]), tmp_path / "elsewhere")
    assert caught.value.code == "invalid_recipe"
    RunFolder.claim(load_recipe("demo", [store]), tmp_path / "elsewhere")


def test_a_run_stays_in_its_store_until_another_is_named(tmp_path: Path) -> None:
    shared = str(tmp_path / "shared.db")
    RunFolder.claim(load_recipe("demo", [f"store={shared}"]), tmp_path)
    folder = RunFolder.claim(load_recipe("demo"), tmp_path)
    with folder.store() as store:
        assert store.url.endswith("shared.db")
    own = folder.path / "trajectories.db"
    folder = RunFolder.claim(load_recipe("demo", [f"store={own}"]), tmp_path)
    with folder.store() as store:
        store.commit(make_trajectory(run="golden/sciworld"), kept=True)
    with RunFolder(folder.path, str(own)).store() as store:
        assert store.runs() == ["golden/sciworld"]


def test_no_password_is_written_into_a_run(tmp_path: Path) -> None:
    address = "postgresql://me:sesame@127.0.0.1:1/db"
    with pytest.raises(RestepError, match="store: a password stands in no recipe") as caught:
        load_recipe("demo", [f"store={address}"])
    assert "sesame" not in caught.value.detail
    with pytest.raises(RestepError, match="store: a password stands in no recipe"):
        RunFolder(tmp_path, address).store()


def test_tasks_that_were_collected_on_are_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    tasks = [TaskInfo(id=f"lamp/{size}", split="train", type="lamp", goal="Reach it.") for size in (3, 5)]
    assert folder.tasks("corridor") is None
    folder.write_tasks("corridor", tasks)
    assert folder.tasks("corridor") == tasks
    assert folder.tasks("cellar") is None
    for broken in ("{", '{"tasks": [{}]}', '{"other": 1}'):
        (tmp_path / "tasks" / "corridor.json").write_text(broken)
        with pytest.raises(RestepError, match="data_corrupt"):
            folder.tasks("corridor")
