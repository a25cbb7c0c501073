"""The teachers of an experiment, one for each environment: they share an endpoint, its cache and its books.

What a language model needs is opened when the first teacher is asked for, so that the expert needs none of it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import RestepError
from shared.protocol import EnvironmentInfo
from shared.store import TrajectoryStore
from trainer.teacher.base import Teacher
from trainer.teacher.briefing import Briefing, Timing
from trainer.teacher.cache import AnswerCache
from trainer.teacher.expert import ExpertTeacher
from trainer.teacher.ledger import TEACHER, Ledger, Spending
from trainer.teacher.llm import LanguageTeacher
from trainer.teacher.options import EndpointOptions, TeacherOptions
from trainer.teacher.prompts import Prompts, load_prompts
from trainer.teacher.reference import ExpertReference, GoldenReference, NoReference, Reference

if TYPE_CHECKING:
    from trainer.teacher.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class _Model:
    endpoint: Endpoint
    cache: AnswerCache


class Teachers:
    """Must be closed. ``store`` holds the books and the answers; ``timing`` is when steps are judged."""

    def __init__(self, options: TeacherOptions, timing: Timing, store: TrajectoryStore) -> None:
        self._options, self._store, self._books = options, store, store.books(TEACHER)
        self._timing: Timing = timing
        self._stack = AsyncExitStack()
        self._model: _Model | None = None

    async def close(self) -> None:
        """Idempotent."""
        self._model = None
        await self._stack.aclose()

    def prompts(self, environment: str) -> Prompts | None:
        """What a language model is told in an environment; None for the expert.

        Raises ``data_not_found`` or ``data_corrupt`` for prompt files.
        """
        options = self._options
        return None if options.kind == "expert" else load_prompts(environment, options.prompt_version, options.prompts)

    async def of(self, info: EnvironmentInfo, collection: str, golden: str, prompts: Prompts | None = None) -> Teacher:
        """The teacher of an environment; ``collection`` is what it works for, ``golden`` the run of golden trajectories.

        ``prompts`` are those of :meth:`prompts` where they are not to be read on this machine.
        Raises ``missing_extra``, and ``data_not_found`` or ``data_corrupt`` for prompt files and key files.
        """
        options, prompts = self._options, prompts or self.prompts(info.name)
        if options.endpoint is None or prompts is None:
            return ExpertTeacher(info.name, info.engine_version)
        private = options.shown != "none"
        briefing = Briefing(prompts, timing=self._timing, private=private, history=options.history)
        model = await self._opened(options.endpoint)
        combined = options.calls == "combined"
        reference = await self._reference(golden)
        return LanguageTeacher(model.endpoint, model.cache, briefing, reference, collection, combined=combined)

    def spending(self, collection: str) -> Spending | None:
        """What was spent on a collection so far, restarts included; None where no model was ever asked."""
        spent = Ledger(self._books).spending(collection)
        return spent if spent != Spending() else None

    async def _opened(self, endpoint: EndpointOptions) -> _Model:
        if self._model is None:
            try:
                from trainer.teacher.endpoint import Endpoint  # which takes its time to import
            except ModuleNotFoundError as error:
                raise RestepError("missing_extra", f"{error.name} is not installed; pip install 'restep[teacher]'") from None
            ledger = Ledger(self._books, self._options.budget, self._options.prices)
            opened = await self._stack.enter_async_context(Endpoint(endpoint, ledger))
            self._model = _Model(opened, AnswerCache(self._books))
        return self._model

    async def _reference(self, golden: str) -> Reference:
        if self._options.shown == "expert":
            return ExpertReference()
        if self._options.shown == "golden":
            return await GoldenReference.of_run(self._store, golden)
        return NoReference()
