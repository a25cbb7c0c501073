"""What holds of every reflected trajectory, whatever the student does and whichever options are taken."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.protocol import TaskInfo
from shared.react import GO_ON
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory, load_trajectory
from tests.support.corridor import Corridor, CorridorWorld
from tests.support.live import live
from tests.support.scripted import Scripted
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import NOT_EXECUTED, EpisodeConfig
from trainer.teacher.expert import ExpertTeacher

SIZE = 3
TASK = TaskInfo(id=f"lamp/{SIZE}", split="train", type="lamp")
ACTIONS = [
    "go to room 0",
    "go to room 1",
    "go to room 2",
    "go to room 3",
    "take lamp",
    "wait",
    "dance",
    "smash lamp",
    "wedge door",
]
TEXTS = st.lists(st.sampled_from([*ACTIONS, "Thought: hm", "Action: go to room 1"]), max_size=14)
CONFIGS = st.builds(
    ReflectConfig,
    judge=st.sampled_from(["after", "before"]),
    errors=st.frozensets(st.sampled_from(["needless", "invalid", "harmful", "fatal"])),
    per_position=st.integers(0, 3),
    per_episode=st.sampled_from([0.0, 0.2, 1 / 3, 1.0]),
    at_limit=st.sampled_from(["stop", "go_on"]),
    layout=st.sampled_from(["turn", "message"]),
)


async def play(texts: list[str], episode: EpisodeConfig, config: ReflectConfig) -> Trajectory:
    player, teacher = Scripted(*texts), ExpertTeacher("corridor", "1")
    app = create_app(CorridorWorld(), EnvironmentSettings(expert=True))
    with tempfile.TemporaryDirectory() as folder, TrajectoryStore(Path(folder) / "store.db") as store:
        async with live(app) as url, EnvironmentClient(url) as client:
            await collect_reflected("r", [TASK], client, player, teacher, store, episode, config)
            assert (await client.info()).sessions == 0
        (trajectory,) = store.trajectories("r")
        return trajectory


def check_order(trajectory: Trajectory) -> None:
    """Reflections answer an error right before them, corrections complete reflections, and weights follow."""
    steps = trajectory.steps
    for step in steps:
        before = steps[step.index - 1] if step.index else None
        assert step.loss == (0.0 if step.provenance == "error" else 1.0)
        if step.provenance == "reflection":
            assert before is not None
            assert (before.provenance, step.repairs) == ("error", before.index)
        if step.provenance == "correction":
            assert before is not None
            assert (before.provenance, step.repairs) == ("reflection", before.repairs)
        if step.role == "student" and step.action is not None:
            assert step.verdict is not None


def check_limits(trajectory: Trajectory, config: ReflectConfig) -> None:
    corrections = sum(step.provenance == "correction" for step in trajectory.steps)
    assert corrections <= (max(1, config.per_episode * trajectory.protocol.max_steps) if config.per_episode else 0)
    if config.at_limit == "go_on":
        assert trajectory.outcome.cause != "correction_limit"
    if trajectory.outcome.cause in ("correction_limit", "fatal_step"):
        assert trajectory.steps[-1].provenance == "error"
        assert not trajectory.outcome.success


def check_layout(trajectory: Trajectory, config: ReflectConfig) -> None:
    """What has no action stands where the layout puts it, and one thought alone is answered, not two in a row."""
    for step in trajectory.steps:
        if step.action is None:
            after = trajectory.steps[step.index + 1 : step.index + 2]
            assert step.observation == (GO_ON if config.layout == "message" else None)
            assert step.provenance == ("error" if step.role == "student" else "reflection")
            assert all(following.action is not None for following in after)
        elif step.provenance == "correction":
            assert step.text.startswith("Thought: " if config.layout == "message" else " ")


def check_replay(trajectory: Trajectory) -> None:
    """The recorded actions, played again, give the recorded observations; what was held back changed nothing."""
    world, executed = Corridor(SIZE), 0
    for step in trajectory.steps:
        if step.action is not None and step.observation_hash is not None:
            assert step.observation == world.act(step.action)[0]
            assert step.score == world.score
            executed += 1
        elif step.action is not None:
            assert (step.observation, step.score, step.provenance) == (NOT_EXECUTED, world.score, "error")
    assert (executed, world.score, world.taken) == (
        trajectory.outcome.steps,
        trajectory.outcome.score,
        trajectory.outcome.success,
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.builds(EpisodeConfig, max_steps=st.integers(1, 12)), CONFIGS)
def test_every_reflected_trajectory_is_in_order_within_limits_and_replays(
    texts: list[str], episode: EpisodeConfig, config: ReflectConfig
) -> None:
    trajectory = asyncio.run(play(texts, episode, config))
    check_order(trajectory)
    check_limits(trajectory, config)
    check_layout(trajectory, config)
    check_replay(trajectory)
    assert load_trajectory(trajectory.dumps()) == trajectory
