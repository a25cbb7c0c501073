"""The teachers of an experiment, one for each environment: they share an endpoint, its cache and its books.

What a language model needs is opened when the first teacher is asked for, so that the expert needs none of it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import RestepError
from shared.protocol import EnvironmentInfo
from shared.store import TrajectoryStore
from trainer.teacher.base import Teacher
from trainer.teacher.briefing import Briefing, Timing
from trainer.teacher.cache import AnswerCache
from trainer.teacher.expert import ExpertTeacher
from trainer.teacher.ledger import Ledger, Spending
from trainer.teacher.llm import LanguageTeacher
from trainer.teacher.options import EndpointOptions, TeacherOptions
from trainer.teacher.prompts import load_prompts
from trainer.teacher.reference import ExpertReference, GoldenReference, NoReference, Reference

if TYPE_CHECKING:
    from trainer.teacher.endpoint import Endpoint

LEDGER_FILE: Final = "ledger.db"
CACHE_FILE: Final = "answers.db"


@dataclass(frozen=True, slots=True)
class _Model:
    endpoint: Endpoint
    cache: AnswerCache


class Teachers:
    """Must be closed. ``folder`` is where the books and the cache lie; ``timing`` is when steps are judged."""

    def __init__(self, options: TeacherOptions, timing: Timing, folder: Path, store: TrajectoryStore) -> None:
        self._options, self._folder, self._store = options, folder, store
        self._timing: Timing = timing
        self._stack = AsyncExitStack()
        self._model: _Model | None = None

    async def close(self) -> None:
        """Idempotent."""
        self._model = None
        await self._stack.aclose()

    async def of(self, info: EnvironmentInfo, collection: str, golden: str) -> Teacher:
        """The teacher of an environment; ``collection`` is what it works for, ``golden`` the run of golden trajectories.

        Raises ``missing_extra``, and ``data_not_found`` or ``data_corrupt`` for prompt files and key files.
        """
        options = self._options
        if options.endpoint is None or options.kind == "expert":
            return ExpertTeacher(info.name, info.engine_version)
        prompts = load_prompts(info.name, options.prompt_version, options.prompts)
        private = options.shown != "none"
        briefing = Briefing(prompts, timing=self._timing, private=private, history=options.history)
        model = await self._opened(options.endpoint)
        combined = options.calls == "combined"
        reference = await self._reference(golden)
        return LanguageTeacher(model.endpoint, model.cache, briefing, reference, collection, combined=combined)

    def spending(self, collection: str) -> Spending | None:
        """What was spent on a collection so far, restarts included; None where no model was ever asked."""
        spent = self._books(collection)
        return spent if spent != Spending() else None

    def _books(self, collection: str) -> Spending:
        if self._model is not None:
            return self._model.endpoint.ledger.spending(collection)
        path = self._folder / LEDGER_FILE
        if not path.is_file():
            return Spending()
        with Ledger(path) as ledger:
            return ledger.spending(collection)

    async def _opened(self, endpoint: EndpointOptions) -> _Model:
        if self._model is None:
            try:
                from trainer.teacher.endpoint import Endpoint  # which takes its time to import
            except ModuleNotFoundError as error:
                raise RestepError("missing_extra", f"{error.name} is not installed; pip install 'restep[teacher]'") from None
            ledger = Ledger(self._folder / LEDGER_FILE, self._options.budget, self._options.prices)
            self._stack.enter_context(ledger)
            cache = self._stack.enter_context(AnswerCache(self._folder / CACHE_FILE))
            self._model = _Model(await self._stack.enter_async_context(Endpoint(endpoint, ledger)), cache)
        return self._model

    async def _reference(self, golden: str) -> Reference:
        if self._options.shown == "expert":
            return ExpertReference()
        if self._options.shown == "golden":
            return await GoldenReference.of_run(self._store, golden)
        return NoReference()
