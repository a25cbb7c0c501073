from typing import Any

import pytest

from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import Decision, TaskInfo
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from shared.trajectory import Outcome, Trajectory
from tests.support.corridor import MAX_STEPS, CorridorWorld
from tests.support.live import live
from tests.support.scripted import Scripted
from trainer.reflect import KeepRule, ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig
from trainer.teacher.base import Repair, Situation, Teacher, Verdict
from trainer.teacher.expert import ExpertTeacher

TASK = TaskInfo(id="lamp/3", split="train", type="lamp")
TEACHER = ExpertTeacher("corridor", "1")


async def lesson(
    client: EnvironmentClient,
    store: TrajectoryStore,
    *texts: str,
    limit: int | None = None,
    teacher: Teacher = TEACHER,
    **options: object,
) -> Trajectory:
    """The one episode that comes of these answers of the student."""
    episode, config = EpisodeConfig(max_steps=limit), ReflectConfig.model_validate(options)
    await collect_reflected("r", [TASK], client, Scripted(*texts), teacher, store, episode, config)
    (trajectory,) = store.trajectories("r")
    return trajectory


def shape(trajectory: Trajectory) -> list[tuple[str, str | None]]:
    return [(step.provenance, step.action) for step in trajectory.steps]


def is_kept(store: TrajectoryStore) -> bool:
    (unit,) = store.units("r")
    return unit.kept


async def test_right_steps_are_the_students_own_and_trained(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    plan = ["go to room 1", "go to room 2", "go to room 3", "take lamp"]
    trajectory = await lesson(corridor, store, *plan)
    assert shape(trajectory) == [("student", action) for action in plan]
    assert {(step.loss, step.role, step.author) for step in trajectory.steps} == {(1.0, "student", "scripted")}
    assert [step.verdict.decision for step in trajectory.steps if step.verdict] == ["useful"] * 4
    assert trajectory.outcome == Outcome(success=True, score=1.0, reward=1.0, steps=4, ended="done")
    assert is_kept(store)


async def test_an_error_is_masked_and_answered_in_place(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "go to room 1", "wait", "go to room 3", "take lamp")
    assert shape(trajectory) == [
        ("student", "go to room 1"),
        ("error", "wait"),
        ("reflection", None),
        ("correction", "go to room 2"),
        ("student", "go to room 3"),
        ("student", "take lamp"),
    ]
    error, reflection, correction = trajectory.steps[1:4]
    assert (error.loss, reflection.loss, correction.loss) == (0.0, 1.0, 1.0)
    assert (reflection.repairs, correction.repairs) == (1, 1)
    assert error.verdict is not None
    assert (error.verdict.judge, error.verdict.decision) == ("expert:corridor 1", "needless")
    assert reflection.text == "Thought: That did not help: nothing changed by wait. I should go to room 2 instead."
    assert correction.text == " I need room 3 for the lamp, so I go to room 2.\nAction: go to room 2"
    assert {reflection.role, correction.role} == {"teacher"}
    assert correction.observation == "You are in room 2."
    assert trajectory.outcome.steps == 5
    assert trajectory.outcome.success
    assert is_kept(store)


@pytest.mark.parametrize(
    ("bad", "begins"),
    [
        ("dance", "Thought: That was not understood: the corridor does not know that action. I should "),
        ("go to room 0", "Thought: That was a mistake: the lamp is farther away now. I should go to room 1 instead."),
    ],
)
async def test_every_kind_of_error_is_named(corridor: EnvironmentClient, store: TrajectoryStore, bad: str, begins: str) -> None:
    trajectory = await lesson(corridor, store, "go to room 1", bad)
    assert trajectory.steps[2].text.startswith(begins)


async def test_an_error_made_again_is_named_as_such(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "wait", "wait")
    assert trajectory.steps[5 - 1].thought.startswith("I did that before and it did not help: nothing changed")


async def test_an_answer_without_an_action_is_an_error_that_is_repaired(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    trajectory = await lesson(corridor, store, "Thought: where am I?")
    assert shape(trajectory)[1:] == [("reflection", None), ("correction", "go to room 1")]
    error = trajectory.steps[0]
    assert (error.provenance, error.format_error, error.valid) == ("error", "no action line", False)


async def test_a_right_action_in_a_broken_format_is_masked_but_not_repaired(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    trajectory = await lesson(corridor, store, "Action: go to room 1", "go to room 2")
    assert shape(trajectory) == [("error", "go to room 1"), ("student", "go to room 2")]
    assert (trajectory.steps[0].loss, trajectory.steps[0].format_error) == (0.0, "no thought")


async def test_a_fatal_step_that_ends_the_episode_is_its_last(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "go to room 1", "smash lamp", "go to room 2")
    assert shape(trajectory) == [("student", "go to room 1"), ("error", "smash lamp")]
    assert (trajectory.outcome.ended, trajectory.outcome.score, trajectory.outcome.cause) == ("done", -1.0, None)


async def test_a_fatal_step_that_the_environment_would_play_on_after_ends_the_episode_too(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    trajectory = await lesson(corridor, store, "go to room 1", "wedge door", "wait")
    assert shape(trajectory) == [("student", "go to room 1"), ("error", "wedge door")]
    assert (trajectory.outcome.ended, trajectory.outcome.cause) == ("truncated", "fatal_step")
    assert not is_kept(store)


async def test_the_same_place_is_repaired_twice_and_no_more(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "wait", *["go to room 0"] * 5, per_episode=1.0)
    assert shape(trajectory) == [
        ("error", "wait"), ("reflection", None), ("correction", "go to room 1"),
        ("error", "go to room 0"), ("reflection", None), ("correction", "go to room 1"),
        ("error", "go to room 0"),
    ]  # fmt: skip
    assert (trajectory.outcome.cause, trajectory.outcome.steps) == ("correction_limit", 5)


async def test_corrections_are_at_most_a_third_of_the_step_limit(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, *["wait"] * MAX_STEPS, limit=6)
    assert [step.provenance for step in trajectory.steps].count("correction") == 2
    assert trajectory.steps[-1].provenance == "error"
    assert (trajectory.outcome.cause, trajectory.outcome.steps) == ("correction_limit", 5)


async def test_a_student_may_go_on_alone_after_the_limit(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    texts = ["wait", "wait", "wait", "go to room 2", "go to room 3", "take lamp"]
    trajectory = await lesson(corridor, store, *texts, per_episode=0.1, at_limit="go_on")
    assert [provenance for provenance, _ in shape(trajectory)] == [
        "error", "reflection", "correction", "error", "error", "student", "student", "student",
    ]  # fmt: skip
    assert trajectory.outcome.success


async def test_no_corrections_at_all_is_a_choice(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "go to room 1", "wait", "go to room 2", per_episode=0.0)
    assert shape(trajectory) == [("student", "go to room 1"), ("error", "wait")]


async def test_which_verdicts_are_errors_is_a_choice(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "wait", "dance", errors=["invalid", "fatal"])
    assert [provenance for provenance, _ in shape(trajectory)] == ["student", "error", "reflection", "correction"]
    assert trajectory.steps[0].verdict is not None
    assert trajectory.steps[0].verdict.decision == "needless"


async def test_judged_before_it_is_carried_out_a_bad_step_is_held_back(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    trajectory = await lesson(corridor, store, "wedge door", "go to room 2", "go to room 3", "take lamp", judge="before")
    assert shape(trajectory) == [
        ("error", "wedge door"), ("reflection", None), ("correction", "go to room 1"),
        ("student", "go to room 2"), ("student", "go to room 3"), ("student", "take lamp"),
    ]  # fmt: skip
    error = trajectory.steps[0]
    assert (error.observation, error.observation_hash, error.valid) == ("This action was not carried out.", None, None)
    assert trajectory.steps[1].thought.startswith("That would ruin the task: the lamp can no longer be taken. I should go")
    assert (trajectory.outcome.steps, trajectory.outcome.success) == (4, True)
    assert (await corridor.info()).sessions == 0


async def test_judging_before_ends_too_when_the_corrections_are_used_up(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    options: dict[str, Any] = {"judge": "before", "per_episode": 0.01, "at_limit": "go_on"}
    trajectory = await lesson(corridor, store, *["wait"] * 9, limit=5, **options)
    assert [p for p, _ in shape(trajectory)] == ["error", "reflection", "correction", "error", "error", "error", "error"]
    assert [step.observation_hash is None for step in trajectory.steps if step.action] == [True] + [False] * 5
    assert trajectory.outcome.ended == "truncated"


async def test_a_full_context_ends_the_episode_and_says_so(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "go to room 1")
    assert (trajectory.outcome.ended, trajectory.outcome.cause) == ("truncated", "context_overflow")
    assert not is_kept(store)


async def test_the_expert_teacher_needs_privileged_facts(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    with pytest.raises(RestepError, match="not_supported"):
        await lesson(corridor, store, "wait", privileged=False)


async def test_a_run_is_not_continued_by_another_student(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    await lesson(corridor, store, "go to room 1")
    other = Scripted("wait", author="another")
    with pytest.raises(RestepError, match="author 'scripted', not 'another'"):
        await collect_reflected("r", [TASK], corridor, other, TEACHER, store, EpisodeConfig(), ReflectConfig())


class Suggesting(Teacher):
    """Judges as the expert does, and corrects by what the test says, one after the other."""

    def __init__(self, *actions: str) -> None:
        self._actions = iter(actions)
        self.told: list[tuple[str, Decision, str]] = []
        self.seen: list[list[str]] = []

    @property
    def name(self) -> str:
        return "suggesting"

    async def judge(self, situation: Situation) -> Verdict:
        return await TEACHER.judge(situation)

    async def repair(self, situation: Situation, verdict: Verdict) -> Repair:
        self.told.append((situation.turn.action, verdict.decision, verdict.reason))
        self.seen.append([step.text for step in situation.history if step.role == "teacher"])
        action = next(self._actions)
        return Repair("That was wrong.", "I try this.", action, action)


async def test_a_correction_that_the_expert_rejects_is_an_error_and_repaired_in_its_turn(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    teacher = Suggesting("dance", "go to room 1")
    trajectory = await lesson(corridor, store, "wait", "go to room 2", "go to room 3", "take lamp", teacher=teacher)
    assert shape(trajectory)[:4] == [
        ("error", "wait"), ("error", "dance"), ("reflection", None), ("correction", "go to room 1"),
    ]  # fmt: skip
    rejected, _, correction = trajectory.steps[1:4]
    assert (rejected.role, rejected.author, rejected.loss, rejected.repairs) == ("teacher", "suggesting", 0.0, 0)
    assert rejected.text == "Thought: That was wrong. I try this.\nAction: dance"
    assert rejected.verdict is not None
    assert (rejected.verdict.judge, rejected.verdict.decision) == ("expert:corridor 1", "invalid")
    assert correction.repairs == 1
    assert correction.verdict is not None
    assert correction.verdict.decision == "useful"
    assert teacher.told[1] == ("dance", "invalid", "The corridor does not know that action.")
    assert trajectory.outcome.success


async def test_a_correction_that_loses_the_task_ends_the_episode(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "wait", "wait", teacher=Suggesting("wedge door"))
    assert shape(trajectory) == [("error", "wait"), ("error", "wedge door")]
    assert trajectory.outcome.cause == "fatal_step"


async def test_rejected_corrections_count_against_the_limit(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    trajectory = await lesson(corridor, store, "wait", limit=6, teacher=Suggesting("dance", "sing", "fly"))
    assert shape(trajectory) == [("error", "wait"), ("error", "dance"), ("error", "sing")]
    assert trajectory.outcome.cause == "correction_limit"


async def test_an_error_held_back_and_a_rejected_correction(corridor: EnvironmentClient, store: TrajectoryStore) -> None:
    teacher = Suggesting("dance", "go to room 1")
    trajectory = await lesson(corridor, store, "wait", judge="before", teacher=teacher)
    assert [(step.action, step.observation_hash is None) for step in trajectory.steps if step.action] == [
        ("wait", True), ("dance", False), ("go to room 1", False),
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{"check_corrections": False}, {}])
async def test_corrections_are_believed_where_nobody_checks_them(
    store: TrajectoryStore, corridor: EnvironmentClient, options: dict[str, bool]
) -> None:
    teacher = Believed("dance")
    if options:
        trajectory = await lesson(corridor, store, "wait", teacher=teacher, **options)
    else:
        async with live(create_app(CorridorWorld(), EnvironmentSettings())) as url, EnvironmentClient(url) as without_expert:
            trajectory = await lesson(without_expert, store, "wait", teacher=teacher)
    assert shape(trajectory) == [("error", "wait"), ("reflection", None), ("correction", "dance")]
    assert trajectory.steps[2].verdict is None


class Believed(Suggesting):
    """Needs no expert."""

    async def judge(self, situation: Situation) -> Verdict:
        return Verdict(self.name, "needless", "Nothing.")


async def test_without_privileged_facts_a_teacher_learns_only_that_it_was_rejected(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    teacher = Believed("dance", "go to room 1")
    await lesson(corridor, store, "wait", teacher=teacher, privileged=False)
    assert teacher.told == [("wait", "needless", "Nothing."), ("dance", "invalid", "")]


async def test_the_expert_can_be_asked_about_the_state_before_a_step(
    corridor: EnvironmentClient, store: TrajectoryStore
) -> None:
    class Looking(Believed):
        ways: list[tuple[int, int]]

        async def judge(self, situation: Situation) -> Verdict:
            assert situation.before is not None
            assert situation.here is not None
            before, here = await situation.before(), await situation.here()
            self.ways.append((len(before.actions), len(here.actions)))
            return Verdict(self.name, "useful", "")

    teacher = Looking()
    teacher.ways = []
    await lesson(corridor, store, "go to room 1", "wait", "go to room 2", teacher=teacher)
    assert teacher.ways == [(4, 3), (3, 3), (3, 2)]
    assert (await corridor.info()).sessions == 0


@pytest.mark.parametrize(
    ("rule", "success", "score", "kept"),
    [
        (KeepRule(), True, 0.2, True),
        (KeepRule(), False, 1.0, False),
        (KeepRule(metric="score"), False, 1.0, True),
        (KeepRule(metric="score", threshold=0.6), False, 0.5, False),
        (KeepRule(metric="score", threshold=-1.0), False, -1.0, True),
    ],
)
def test_the_keep_rule(rule: KeepRule, success: bool, score: float, kept: bool) -> None:
    assert rule.keeps(Outcome(success=success, score=score, reward=score, steps=1, ended="done")) is kept
