"""Prompts of a language-model teacher: files with a version, one for all environments and one with examples for each.

A file is never changed after it was used; a better wording is a new version. So a version names the same words for
ever, and the hash that is stamped into verdicts proves it.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from shared.errors import RestepError
from shared.protocol import ERROR_DECISIONS
from trainer.options import Options
from trainer.teacher.answers import Correction, Judgement

M = TypeVar("M", bound=BaseModel)

Call = Literal["judge", "repair", "combined"]
"""What a model is asked for: a verdict, a correction, or both at once."""

PACKAGED: Final = Path(str(resources.files("trainer") / "teacher" / "prompts"))
COMMON: Final = "common"
DEFAULT: Final = "default"
"""The folders of what holds everywhere, and of environments without a folder of their own."""


class Wording(Options):
    """The instructions that hold in every environment."""

    role: str
    after: str
    before: str
    decisions: str
    judge: str
    repair: str
    combined: str
    writing: str
    private: str


class Said(Options):
    """A thought and an action."""

    thought: str
    action: str


class Moment(Said):
    """And what followed."""

    observation: str


class Example(Options):
    """One step of an episode made up for the purpose, with the right answers. ``expert``: how an expert would go on."""

    task: str
    observation: str
    history: list[Moment]
    step: Said
    followed: str
    expert: list[str]
    judgement: Judgement
    correction: Correction | None = None

    @model_validator(mode="after")
    def _whole(self) -> Example:
        if (self.correction is not None) != (self.judgement.decision in ERROR_DECISIONS):
            raise ValueError("an error has a correction, and a right step has none")
        return self


class Lessons(Options):
    """What holds in one environment."""

    about: str
    examples: list[Example] = Field(min_length=1)


class Prompts(Options):
    """Everything of one version for one environment; ``source`` is its folder's name and the version."""

    source: str
    wording: Wording
    lessons: Lessons


def load_prompts(environment: str, version: str = "v1", folder: Path | None = None) -> Prompts:
    """Read ``common/<version>.yaml`` and ``<environment>/<version>.yaml``, or ``default`` where that folder is missing.

    ``folder`` stands for the package's own. Raises ``data_not_found`` for a missing file, ``data_corrupt`` with the
    field named for a wrong one.
    """
    where = folder or PACKAGED
    name = environment if (where / environment).is_dir() else DEFAULT
    wording = _read(where / COMMON / f"{version}.yaml", Wording)
    return Prompts(source=f"{name}/{version}", wording=wording, lessons=_read(where / name / f"{version}.yaml", Lessons))


def _read(path: Path, kind: type[M]) -> M:
    try:
        return kind.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise RestepError("data_not_found", f"prompt file {path}: {why}") from None
    except yaml.YAMLError as error:
        raise RestepError("data_corrupt", f"prompt file {path}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RestepError("data_corrupt", f"prompt file {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
