"""The student behind a real agent service: random weights, real ids."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import get_args

import pytest

from services.agent.app import create_app
from services.agent.settings import AgentSettings
from shared.agent_protocol import AgentTurn, Sampling
from shared.client import EnvironmentClient
from shared.client.agent import AgentClient
from shared.react import GO_ON, Layout
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint
from tests.support.trajectories import Said
from tests.support.trajectories import trajectory as document
from trainer.chat_messages import assistant_turns
from trainer.checkpoint import open_base
from trainer.collection import CollectionConfig
from trainer.evaluate import EvaluateConfig, evaluate
from trainer.finetune import FinetuneConfig, finetune
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.render import Renderer
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.student import CUT_OFF, Student
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.expert import ExpertTeacher

SAMPLED = SamplingConfig(temperature=1.0, max_new_tokens=10, seed=3)
THOUGHT_ALONE = "Thought: hm"
SHORT = EpisodeConfig(max_steps=5)
TASKS = TaskSelection(split="train", types=["lamp"])


class Recording(AgentClient):
    """The client, keeping what went over it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[tuple[list[int], AgentTurn]] = []

    async def act(self, prompt_ids: Sequence[int], sampling: Sampling = Sampling()) -> AgentTurn:  # noqa: B008  # frozen
        prompt = list(prompt_ids)
        turn = await super().act(prompt, sampling)
        self.asked.append((prompt, turn))
        return turn


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("student") / "tiny", context=2048)


@pytest.fixture
async def agent(checkpoint: Path) -> AsyncGenerator[Recording]:
    settings = AgentSettings(checkpoint=str(checkpoint), kv_mib=64)
    async with live(create_app(settings)) as url, Recording(url) as client:
        yield client


@pytest.fixture
def renderer(checkpoint: Path) -> Renderer:
    return Renderer.from_tokenizer(open_base(str(checkpoint)).tokenizer)


async def reflected(
    run: str,
    corridor: EnvironmentClient,
    student: Student,
    store: TrajectoryStore,
    concurrency: int = 8,
    layout: Layout = "turn",
) -> list[Trajectory]:
    collection = CollectionConfig(attempts=2, concurrency=concurrency)
    config = ReflectConfig(collection=collection, at_limit="go_on", per_episode=0.6, layout=layout)
    tasks, teacher = await select_tasks(corridor, TASKS), ExpertTeacher("corridor", "1")
    await collect_reflected(run, tasks, corridor, student, teacher, store, SHORT, config)
    return list(store.trajectories(run))


def check_shown(trajectories: list[Trajectory], agent: Recording, renderer: Renderer) -> None:
    """Every answer of the student is rendered as the ids it sampled, after the very ids it was asked with."""
    shown = {(tuple(prompt), tuple(turn.token_ids)) for prompt, turn in agent.asked}
    answers = 0
    for trajectory in trajectories:
        segments = list(renderer.segments(trajectory))
        ids: list[int] = []
        for number, segment in enumerate(segments):
            step = trajectory.steps[segment.step] if segment.step >= 0 else None
            first = number == 0 or segments[number - 1].step != segment.step or segments[number - 1].kind != segment.kind
            if step is not None and step.role == "student" and segment.kind != "observation" and first:
                assert step.token_ids is not None
                assert (tuple(ids), tuple(step.token_ids)) in shown
                answers += 1
            ids.extend(segment.ids)
    assert answers == len(agent.asked)


@pytest.mark.parametrize("layout", get_args(Layout))
async def test_what_the_model_was_shown_is_what_training_renders(
    corridor: EnvironmentClient, agent: Recording, renderer: Renderer, store: TrajectoryStore, layout: Layout
) -> None:
    trajectories = await reflected("r", corridor, Student(agent, renderer, SAMPLED), store, layout=layout)
    assert len(trajectories) == 8
    for trajectory in trajectories:
        reflections = [step for step in trajectory.steps if step.provenance == "reflection"]
        assert {step.observation for step in reflections} == {GO_ON if layout == "message" else None}
    check_shown(trajectories, agent, renderer)


@pytest.fixture(scope="module")
def thinker(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt to say one thought, whatever it is shown."""
    folder = tmp_path_factory.mktemp("thinker") / "trained"
    said = document([Said("golden", THOUGHT_ALONE, alone=True)] * 8)
    config = FinetuneConfig(base=str(checkpoint), output=folder, epochs=40, learning_rate=1e-2, schedule="constant", threads=1)
    finetune(config, [said])
    return folder


async def test_a_sampled_thought_is_answered_once_and_rendered_as_it_was_sampled(
    corridor: EnvironmentClient, thinker: Path, renderer: Renderer, store: TrajectoryStore
) -> None:
    settings, greedy = AgentSettings(checkpoint=str(thinker), kv_mib=64), SamplingConfig(max_new_tokens=30)
    tasks = await select_tasks(corridor, TaskSelection(split="test", limit=1))
    async with live(create_app(settings)) as url, Recording(url) as agent:
        student = Student(agent, renderer, greedy)
        result = await evaluate("e", tasks, corridor, student, store, SHORT, EvaluateConfig(), layout="message")
        (found,) = store.trajectories("e")
        check_shown([found], agent, renderer)
        assert found.steps[0].token_ids is not None
        shorter = greedy.model_copy(update={"max_new_tokens": len(found.steps[0].token_ids) - 1})
        cut = Student(agent, renderer, shorter)
        await evaluate("cut", tasks, corridor, cut, store, SHORT, EvaluateConfig(), layout="message")
    assert {step.text for step in found.steps} == {THOUGHT_ALONE}
    assert [step.action for step in found.steps] == [None, THOUGHT_ALONE] * 5
    assert {step.observation for step in found.steps[::2]} == {GO_ON}
    assert (found.outcome.steps, result.results[0].steps, result.results[0].format_failures) == (5, 5, 5)
    assert result.results[0].invalid_share == 1.0
    (unfinished,) = store.trajectories("cut")
    assert {(step.text, step.action) for step in unfinished.steps} == {(THOUGHT_ALONE, THOUGHT_ALONE)}


async def test_ids_logprobs_text_and_checkpoint_are_kept(
    corridor: EnvironmentClient, agent: Recording, renderer: Renderer, store: TrajectoryStore
) -> None:
    trajectories = await reflected("r", corridor, Student(agent, renderer, SAMPLED), store)
    model = (await agent.info()).model
    for step in (step for trajectory in trajectories for step in trajectory.steps):
        if step.role == "teacher":
            assert step.token_ids is None
            assert step.logprobs is None
            continue
        assert step.token_ids is not None
        assert step.logprobs is not None
        assert 0 < len(step.token_ids) == len(step.logprobs) <= SAMPLED.max_new_tokens
        assert all(value <= 0 for value in step.logprobs)
        stopped = step.token_ids[-1] == renderer.stop_id
        assert step.text == renderer.chat.codec.decode(step.token_ids[:-1] if stopped else step.token_ids)
        assert step.author == model
        assert step.format_error is not None
        assert stopped or len(step.token_ids) == SAMPLED.max_new_tokens


async def test_the_same_seed_gives_the_same_episodes_however_many_run_at_once(
    corridor: EnvironmentClient, agent: Recording, renderer: Renderer, store: TrajectoryStore
) -> None:
    quiet = SAMPLED.model_copy(update={"logprobs": False})
    alone = await reflected("alone", corridor, Student(agent, renderer, quiet), store, concurrency=1)
    together = await reflected("together", corridor, Student(agent, renderer, quiet), store, concurrency=8)
    assert [one.id for one in alone] == [one.id for one in together]
    other = quiet.model_copy(update={"seed": 4})
    different = await reflected("other", corridor, Student(agent, renderer, other), store)
    assert not {one.id for one in alone} & {one.id for one in different}
    attempts = [[step.text for step in one.steps] for one in alone]
    assert attempts[0] != attempts[1]


async def test_an_episode_ends_visibly_when_the_context_is_full(
    corridor: EnvironmentClient, checkpoint: Path, renderer: Renderer, store: TrajectoryStore
) -> None:
    settings = AgentSettings(checkpoint=str(checkpoint), kv_mib=64, max_context=230)
    async with live(create_app(settings)) as url, AgentClient(url) as agent:
        tasks = await select_tasks(corridor, TASKS)
        config = EvaluateConfig(sampling=SAMPLED)
        student = Student(agent, renderer, SAMPLED)
        result = await evaluate("e", tasks, corridor, student, store, EpisodeConfig(), config)
    assert result.context_overflows == len(tasks)
    assert {(one.ended, one.cause) for one in result.results} == {("truncated", "context_overflow")}
    assert all(0 < one.steps < 12 for one in result.results)
    assert result.metrics["format_failures"].mean == result.metrics["steps"].mean


async def test_an_answer_that_was_cut_off_is_a_format_failure(
    corridor: EnvironmentClient, agent: Recording, renderer: Renderer, store: TrajectoryStore
) -> None:
    student = Student(agent, renderer, SAMPLED.model_copy(update={"max_new_tokens": 1}))
    trajectory = (await reflected("r", corridor, student, store))[0]
    errors = {step.format_error for turn in assistant_turns(trajectory.steps) for step in turn if step.role == "student"}
    assert errors <= {"no action line", "empty answer", CUT_OFF}
    assert "no action line" in errors
