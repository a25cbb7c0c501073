"""A recipe: everything an experiment does, as one YAML file that is refused when a field of it is wrong.

The three stages of STeP with their options, and the arms that are compared. An arm says which trajectories it is
trained on and what its masks are; so an ablation is a few lines of a recipe, never a branch in the code. The same
holds of environments: there may be several, each with its tasks and its protocol, and every arm learns from all.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, cast

import yaml
from pydantic import Field, ValidationError, field_serializer, field_validator, model_validator

from shared.errors import RestepError
from shared.store.address import PASSWORD_FILE, names_password
from trainer.evaluate import EvaluateConfig
from trainer.finetune_config import FinetuneConfig, FinetuneOptions, LeftOut, WeightOptions
from trainer.golden import GoldenConfig
from trainer.options import Options
from trainer.peers.intake import ImportConfig
from trainer.reflect import ReflectConfig
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.shipped import NAME
from trainer.split import SplitConfig
from trainer.tasks import TaskSelection
from trainer.teacher.options import TeacherOptions

Source = Literal["golden_u1", "golden_u2", "reflected_u2", "imported", "unverified"]
"""D1, D2, the reflected trajectories on U2, and others' trajectories, those that were replayed here and those that were not."""

EnvironmentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""As ``restep serve`` knows it; names collections and log files too."""

Addresses = str | Annotated[list[str], Field(min_length=1)]
"""One server, or several that serve the same: a list, or a host name with several addresses."""

EMBEDDED: Final = "embedded"
"""The data that comes with an environment."""

_NO_PASSWORD: Final = f"a password stands in no recipe and no command: {PASSWORD_FILE} names its file, or PGPASSFILE"

PACKAGED: Final = resources.files("trainer") / "recipes"


class EnvironmentOptions(Options):
    """One environment: where its episodes are played, on which tasks, and how.

    There is one protocol for every stage: a student that trains under one step limit and is evaluated under another
    would be judged for what it never saw.
    """

    url: Addresses | None = Field(default=None, description="running servers, started with --expert; one is started when None")
    workers: int = Field(default=2, ge=1, description="engine workers of a server started here")
    data: Path | Literal["embedded"] | None = Field(
        default=None,
        description="data folder of a server started here; `embedded` is what comes along, None that of RESTEP_DATA",
    )
    tasks: TaskSelection = Field(default=TaskSelection(), description="U, the training tasks")
    evaluation_tasks: TaskSelection = Field(default=TaskSelection(split="test"), description="held-out tasks")
    episode: EpisodeConfig = Field(default=EpisodeConfig(), description="step limit and session options")


class AgentOptions(Options):
    """Where the student answers."""

    url: Addresses | None = Field(default=None, description="running agent services; one is started here when none is given")


class Arm(Options):
    """One model to train and compare."""

    description: str = ""
    data: list[Source] = Field(min_length=1, description="what it is trained on")
    weights: WeightOptions = Field(default=WeightOptions(), description="masks and normalisation")
    without: frozenset[LeftOut] = Field(
        default=frozenset(), description="steps that are left out of its trajectories, where `weights` only mask (ablation)"
    )
    start: str = Field(default="base", description="what it is trained from: `base`, or an arm that is trained before it")
    matched: str | None = Field(
        default=None, description="an arm: as many trained tokens as that one saw in all, instead of `finetune.epochs`"
    )
    golden_share: float = Field(
        default=1.0, gt=0.0, le=1.0, description="share of the golden trajectories that is mixed in, by a hash of the task"
    )

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.weights.mask_prefix and "error" in self.without:
            raise ValueError("weights.mask_prefix: no error is left to lead to, without: [error]")
        return self

    @field_serializer("without")
    def _sorted(self, without: frozenset[LeftOut]) -> list[LeftOut]:
        return sorted(without)  # a set has another order in every process, and recipes are compared

    def departures(self) -> dict[str, Any]:
        """Options in which it is not the method's default, by their place in the recipe: ``weights.mask_errors``."""
        own, plain = (one.model_dump(mode="json", exclude={"description", "data"}) for one in (self, Arm(data=self.data)))
        for fields in (own, plain):
            fields |= {f"weights.{name}": value for name, value in fields.pop("weights").items()}
        return {name: value for name, value in own.items() if value != plain[name]}


class Recipe(Options):
    """An experiment."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="names the folder under runs/")
    description: str = ""
    store: str | None = Field(
        default=None,
        description="where trajectories are kept, a path or a database's URL, which experiments and machines may share; "
        "runs/<name>/trajectories.db when None",
    )
    seed: int = Field(default=0, description="seed of training and sampling")
    base: str = Field(default="base", description="the student before training: a checkpoint folder, a name, or `base`")
    environments: dict[EnvironmentName, EnvironmentOptions] = Field(min_length=1, description="where the agent acts, by name")
    agent: AgentOptions = AgentOptions()
    split: SplitConfig = SplitConfig()
    golden: GoldenConfig = GoldenConfig()
    imported: ImportConfig = ImportConfig()
    sampling: SamplingConfig = Field(default=SamplingConfig(), description="how the student answers on U2")
    student: str = Field(default="golden-small", description="the arm whose model plays on U2")
    teacher: TeacherOptions = Field(default=TeacherOptions(), description="who judges and repairs on U2")
    reflected: ReflectConfig = ReflectConfig()
    finetune: FinetuneOptions = FinetuneOptions()
    arms: dict[str, Arm] = Field(min_length=1)
    reference: str = Field(description="the arm the others are compared with")
    evaluation: EvaluateConfig = EvaluateConfig()
    evaluate_base: bool = Field(default=True, description="evaluate the untrained base as well")

    def finetune_config(self, arm: Arm, start: str, output: Path, trained_tokens: int | None = None) -> FinetuneConfig:
        """The fine-tuning of one arm from the checkpoint ``start`` into a folder; ``trained_tokens`` of a matched arm."""
        return FinetuneConfig(
            **self.finetune.model_dump(),
            base=start,
            output=output,
            seed=self.seed,
            weights=arm.weights,
            without=arm.without,
            trained_tokens=trained_tokens,
        )

    def checkpoints(self) -> dict[str, str]:
        """The checkpoints that have to be there when a run begins, by the field that names them."""
        player = {"golden.checkpoint": self.golden.checkpoint} if self.golden.player == "agent" else {}
        return {"base": self.base, **player}

    def needs(self, name: str) -> dict[str, str]:
        """The arms that have to be trained before one, by the field that says so."""
        arm = self.arms[name]
        found = {"start": None if arm.start == NAME else arm.start, "matched": arm.matched}
        return {field: other for field, other in found.items() if other is not None}

    def lineage(self, name: str) -> list[str]:
        """An arm and all that have to be trained before it, the arm itself first."""
        names = [name]
        for one in names:
            names += [other for other in self.needs(one).values() if other not in names]
        return names

    def _check_needs(self) -> None:
        needed = [(name, field, other) for name in self.arms for field, other in self.needs(name).items()]
        for name, field, other in needed:
            if other not in self.arms:
                raise ValueError(f"arms.{name}.{field}: there is no arm {other!r}; there are: {', '.join(self.arms)}")
        for name, field, other in needed:
            if name in self.lineage(other):
                raise ValueError(f"arms.{name}.{field}: {other!r} would have to be trained before itself")

    @field_validator("store")
    @classmethod
    def _without_password(cls, store: str | None) -> str | None:
        if store and names_password(store):
            raise ValueError(_NO_PASSWORD)
        return store or None

    @model_validator(mode="after")
    def _named(self) -> Self:
        for field in ("student", "reference"):
            if getattr(self, field) not in self.arms:
                raise ValueError(f"{field}: no arm {getattr(self, field)!r}; there are: {', '.join(self.arms)}")
        if self.teacher.shown != "none" and not self.reflected.privileged:
            raise ValueError(f"teacher.reference: {self.teacher.shown!r} is privileged, which reflected.privileged forbids")
        self._check_needs()
        if any("reflected_u2" in self.arms[name].data for name in self.lineage(self.student)):
            raise ValueError(f"student: arm {self.student!r} needs the trajectories it would collect")
        for name, options in self.environments.items():
            if (split := options.tasks.split) == options.evaluation_tasks.split:
                field = f"environments.{name}.evaluation_tasks.split"
                raise ValueError(f"{field}: {split!r} is what the student is trained on")
        return self


def load_recipe(source: str, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, or one of the package's by name, with ``key.sub=value`` settings laid over it.

    Values are YAML. Raises ``invalid_recipe`` with the field named.
    """
    text = _read(source)
    try:
        body: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RestepError("invalid_recipe", f"{source}: {' '.join(str(error).split())}") from None
    if not isinstance(body, dict):
        raise RestepError("invalid_recipe", f"{source}: a recipe is a mapping of fields")
    return read_recipe(cast(dict[str, Any], body), settings)


def read_recipe(fields: dict[str, Any], settings: Sequence[str] = ()) -> Recipe:
    """A recipe's fields with settings laid over them, which changes ``fields``. Raises ``invalid_recipe``."""
    for setting in settings:
        lay_over(fields, setting)
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ")
        raise RestepError("invalid_recipe", f"{where}: {why}" if where else why) from None


def check_store(store: str) -> None:
    """Raise ``invalid_recipe`` for the address of a store that holds a password."""
    if names_password(store):
        raise RestepError("invalid_recipe", f"store: {_NO_PASSWORD}")


def packaged_recipes() -> list[str]:
    """Names of the recipes that come with restep."""
    return sorted(entry.name.removesuffix(".yaml") for entry in PACKAGED.iterdir() if entry.name.endswith(".yaml"))


def _read(source: str) -> str:
    if source in packaged_recipes():
        return (PACKAGED / f"{source}.yaml").read_text()
    try:
        return Path(source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(packaged_recipes())
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise RestepError("invalid_recipe", f"{source}: {why}; recipes by name: {known}") from None


def lay_over(fields: dict[str, Any], setting: str) -> None:
    """Set ``key.sub=value`` in nested fields. Raises ``invalid_recipe``."""
    path, equals, value = setting.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise RestepError("invalid_recipe", f"--set {setting!r}: write key.sub=value")
    here = fields
    for key in keys[:-1]:
        below = here.setdefault(key, {})
        if not isinstance(below, dict):
            raise RestepError("invalid_recipe", f"--set {path}: {key} is not a section")
        here = cast(dict[str, Any], below)
    try:
        here[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise RestepError("invalid_recipe", f"--set {path}: {value!r} is not YAML") from None
