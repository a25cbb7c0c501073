"""An environment server as Gymnasium environments, single and vectorised, for whoever's loop speaks that interface.

Observations and actions are texts. A reset draws a task of the split and an episode seed from the environment's own
generator, so ``reset(seed=...)`` decides both. Needs the extra ``restep[gym]``; importing this without it says so.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from shared.client.sync import SyncEnvironmentClient, SyncEpisode
from shared.errors import RestepError
from shared.protocol import StepResult

try:
    import gymnasium
    import numpy as np
    from gymnasium.spaces import Text
    from gymnasium.utils import seeding
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ImportError as error:
    raise RestepError("missing_extra", f"{error.name} is not installed: pip install 'restep[gym]'") from None

MAX_OBSERVATION_CHARS: Final = 1 << 20
MAX_ACTION_CHARS: Final = 4096
_LETTERS: Final = string.ascii_letters + string.digits + " .,:;!?'()[]/-"

_Step = tuple[str, float, bool, bool, dict[str, Any]]
_Array = np.ndarray[Any, Any]


class AnyText(Text):
    """Texts up to a length, of whatever characters; samples are of plain ones."""

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length, min_length=0, charset=_LETTERS)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a text of allowed length."""
        return isinstance(x, str) and len(x) <= self.max_length


class RestepEnv(gymnasium.Env[str, str]):
    """One episode at a time on an environment server.

    ``terminated`` is the engine's end, ``truncated`` the step limit. Infos carry ``task_id``, ``goal``, ``score``,
    ``success``, ``valid``, ``steps``, ``observation_hash`` and, when asked for, ``admissible_actions``.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"]}  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        server: str | SyncEnvironmentClient,
        *,
        split: str = "train",
        max_steps: int | None = None,
        options: Mapping[str, str] | None = None,
        admissible_actions: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """``server``: an address, or a client (which stays its owner's to close); ``options`` are the session's.

        Raises ``unknown_split``, and what the client raises.
        """
        self.observation_space = AnyText(MAX_OBSERVATION_CHARS)
        self.action_space = AnyText(MAX_ACTION_CHARS)
        self.render_mode = render_mode
        self._server = _Server(server, split, max_steps, options, admissible_actions)
        self._episode: SyncEpisode | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin another episode; ``options={"task_id": ...}`` chooses its task."""
        super().reset(seed=seed)
        drawn = self._server.draw(self.np_random, options)
        self._leave()
        self._episode = self._server.open([drawn])[0]
        return _first(self._episode)

    def step(self, action: str) -> _Step:
        """Take an action. Raises ``episode_over`` after the end and ``invalid_request`` before the first reset."""
        if self._episode is None:
            raise RestepError("invalid_request", "reset comes before the first step")
        return _taken(self._episode, self._episode.step(action))

    def render(self) -> str | None:  # pyright: ignore[reportIncompatibleMethodOverride]  # one text, never frames
        """The last action and what it showed, as a text."""
        if self.render_mode != "ansi" or self._episode is None:
            return None
        last = self._episode.remote.last
        return self._episode.view.observation if last is None else f"> {last.action}\n{last.observation}"

    def close(self) -> None:
        """Give the episode back. Idempotent."""
        self._leave()
        self._server.close()

    def _leave(self) -> None:
        if self._episode is not None:
            self._episode.close()
            self._episode = None


class RestepVectorEnv(VectorEnv[tuple[str, ...], Sequence[str], _Array]):
    """Many episodes on one environment server, stepped together in few requests.

    Autoreset is ``NEXT_STEP``: the step after an end takes no action there, resets, and gives reward 0. Seeds and
    infos are those of as many :class:`RestepEnv` in a ``SyncVectorEnv``.
    """

    metadata: ClassVar[dict[str, Any]] = {  # pyright: ignore[reportIncompatibleVariableOverride]
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        server: str | SyncEnvironmentClient,
        num_envs: int,
        *,
        split: str = "train",
        max_steps: int | None = None,
        options: Mapping[str, str] | None = None,
        admissible_actions: bool = False,
    ) -> None:
        """As :class:`RestepEnv`, ``num_envs`` times; the server's capacity must hold them."""
        self.num_envs = num_envs
        self.single_observation_space = AnyText(MAX_OBSERVATION_CHARS)
        self.single_action_space = AnyText(MAX_ACTION_CHARS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._server = _Server(server, split, max_steps, options, admissible_actions)
        self._random: list[np.random.Generator] = [seeding.np_random()[0] for _ in range(num_envs)]
        self._episodes: list[SyncEpisode] = []

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Begin an episode everywhere. ``seed``: an int for ``seed, seed + 1, ...``, or one for each."""
        seeds = [seed + n for n in range(self.num_envs)] if isinstance(seed, int) else list(seed or [None] * self.num_envs)
        if len(seeds) != self.num_envs:
            raise RestepError("invalid_request", f"{len(seeds)} seeds for {self.num_envs} environments")
        for position, one in enumerate(seeds):
            if one is not None:
                self._random[position] = seeding.np_random(one)[0]
        drawn = [self._server.draw(generator, options) for generator in self._random]
        self._leave()
        self._episodes = self._server.open(drawn)
        firsts = [_first(episode) for episode in self._episodes]
        return tuple(text for text, _ in firsts), self._infos([info for _, info in firsts])

    def step(self, actions: Sequence[str]) -> tuple[tuple[str, ...], _Array, _Array, _Array, dict[str, Any]]:
        """Take an action everywhere; where an episode has ended, begin another instead.

        Raises the first error of an environment; the others have made their step, so reset before going on.
        """
        if len(self._episodes) != self.num_envs:
            raise RestepError("invalid_request", "reset comes before the first step")
        if len(actions) != self.num_envs:
            raise RestepError("invalid_request", f"{len(actions)} actions for {self.num_envs} environments")
        over = [position for position, episode in enumerate(self._episodes) if episode.over]
        going = [position for position in range(self.num_envs) if position not in set(over)]
        results = self._server.step([(self._episodes[position], actions[position]) for position in going])
        taken = {position: _taken(self._episodes[position], result) for position, result in zip(going, results, strict=True)}
        drawn = [self._server.draw(self._random[position], None) for position in over]
        for position in over:
            self._episodes[position].close()
        for position, episode in zip(over, self._server.open(drawn), strict=True):
            self._episodes[position] = episode
            observation, info = _first(episode)
            taken[position] = (observation, 0.0, False, False, info)
        observations, rewards, terminations, truncations, infos = zip(*(taken[n] for n in range(self.num_envs)), strict=True)
        return observations, np.array(rewards), np.array(terminations), np.array(truncations), self._infos(infos)

    def close_extras(self, **_: Any) -> None:
        """Give the episodes back."""
        self._leave()
        self._server.close()

    def _leave(self) -> None:
        for episode in self._episodes:
            episode.close()
        self._episodes = []

    def _infos(self, infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
        joined: dict[str, Any] = {}
        for position, info in enumerate(infos):
            joined = self._add_info(joined, info, position)
        return joined


class _Server:
    """What both environments need of a server: tasks to draw from, and episodes with the same settings."""

    def __init__(
        self,
        server: str | SyncEnvironmentClient,
        split: str,
        max_steps: int | None,
        options: Mapping[str, str] | None,
        admissible_actions: bool,
    ) -> None:
        self._settings: dict[str, Any] = {
            "max_steps": max_steps,
            "options": dict(options or {}),
            "include": ["admissible_actions"] if admissible_actions else [],
        }
        self._owns = isinstance(server, str)
        self._client = SyncEnvironmentClient(server) if isinstance(server, str) else server
        try:
            self._task_ids = [task.id for task in self._client.tasks(split)]
            if not self._task_ids:
                raise RestepError("unknown_task", f"split {split} has no tasks")
        except BaseException:
            self.close()
            raise

    def draw(self, generator: np.random.Generator, options: dict[str, Any] | None) -> tuple[str, int]:
        """A task and a seed for its episode; ``options`` may name the task."""
        unknown = set(options or {}) - {"task_id"}
        if unknown:
            raise RestepError("invalid_option", f"reset knows the option task_id; not {', '.join(sorted(unknown))}")
        task_id = self._task_ids[int(generator.integers(len(self._task_ids)))]
        return (options or {}).get("task_id", task_id), int(generator.integers(2**31))

    def open(self, drawn: Sequence[tuple[str, int]]) -> list[SyncEpisode]:
        return self._client.open_many(drawn, **self._settings)

    def step(self, moves: Sequence[tuple[SyncEpisode, str]]) -> list[StepResult]:
        results: list[StepResult] = []
        for answer in self._client.step_batch(moves):
            if isinstance(answer, RestepError):
                raise answer
            results.append(answer)
        return results

    def close(self) -> None:
        if self._owns:
            self._client.close()


def _first(episode: SyncEpisode) -> tuple[str, dict[str, Any]]:
    view = episode.view
    info: dict[str, Any] = {
        "task_id": view.task.id,
        "goal": view.task.goal,
        "score": view.score,
        "success": view.success,
        "valid": True,
        "steps": 0,
        "observation_hash": view.observation_hash,
    }
    if view.admissible_actions is not None:
        info["admissible_actions"] = view.admissible_actions
    return view.observation, info


def _taken(episode: SyncEpisode, result: StepResult) -> _Step:
    info: dict[str, Any] = {
        "task_id": episode.view.task.id,
        "goal": episode.view.task.goal,
        "score": result.score,
        "success": result.success,
        "valid": result.valid,
        "steps": result.seq,
        "observation_hash": result.observation_hash,
    }
    if result.admissible_actions is not None:
        info["admissible_actions"] = result.admissible_actions
    return result.observation, result.reward, result.done, result.truncated, info
