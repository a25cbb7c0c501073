from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.corridor_model import asked_for
from tests.support.model_server import Act, ModelServer, Say, model_server
from tests.unit.trainer.teacher.test_expert import giving, situation
from trainer.teacher.base import Verdict
from trainer.teacher.briefing import Briefing
from trainer.teacher.cache import AnswerCache
from trainer.teacher.endpoint import Endpoint
from trainer.teacher.ledger import Ledger
from trainer.teacher.llm import LanguageTeacher
from trainer.teacher.prompts import load_prompts
from trainer.teacher.reference import NoReference, Reference

CORRECTION = {"reflection": "It was open.", "plan": "I go in.", "action": "go to kitchen"}


def says(**fields: Any) -> Say:
    return Say(orjson.dumps(fields).decode())


BAD = says(reason="It was open.", decision="needless")
REVIEWED = says(reason="It was open.", decision="needless", correction=CORRECTION)


@asynccontextmanager
async def teaching(
    acts: Iterable[Act], folder: Path, reference: Reference | None = None, *, combined: bool = False
) -> AsyncGenerator[tuple[LanguageTeacher, ModelServer, Ledger]]:
    briefing = Briefing(load_prompts("sciworld"), timing="after", private=reference is not None)
    with TrajectoryStore(folder / "store.db") as store:
        ledger, cache = Ledger(store.books("teacher")), AnswerCache(store.books("teacher"))
        async with model_server(acts) as server, Endpoint(server.options(), ledger) as endpoint:
            shown = reference or NoReference()
            yield LanguageTeacher(endpoint, cache, briefing, shown, "reflected/sciworld", combined=combined), server, ledger


async def test_two_calls_judge_and_repair(tmp_path: Path) -> None:
    async with teaching([BAD, says(**CORRECTION)], tmp_path) as (teacher, server, ledger):
        verdict = await teacher.judge(situation())
        repair = await teacher.repair(situation(), verdict)
        assert ledger.spending("reflected/sciworld").requests == 2
    assert teacher.name == "llm:scripted sciworld/v1"
    assert (verdict.judge, verdict.decision, verdict.reason) == (teacher.name, "needless", "It was open.")
    assert verdict.prompt_hash is not None
    assert len(verdict.prompt_hash) == 64
    assert verdict.raw == {"answer": {"reason": "It was open.", "decision": "needless"}}
    assert (repair.reflection, repair.plan, repair.action) == ("It was open.", "I go in.", "go to kitchen")
    assert [asked_for(body) for body in server.bodies] == ["judgement", "correction"]
    assert server.bodies[1]["messages"][-1]["content"].endswith("## Verdict\nneedless: It was open.")


async def test_one_combined_call_does_both(tmp_path: Path) -> None:
    async with teaching([REVIEWED], tmp_path, combined=True) as (teacher, server, _):
        repair = await teacher.repair(situation(), await teacher.judge(situation()))
    assert repair.action == "go to kitchen"
    assert [asked_for(body) for body in server.bodies] == ["review"]


@pytest.mark.parametrize("without", [True, False])
async def test_a_correction_is_asked_for_where_none_came_with_the_verdict(tmp_path: Path, without: bool) -> None:
    """A combined answer may lack it, and a verdict may be somebody else's."""
    reviewed = says(reason="It was open.", decision="needless", correction=None)
    async with teaching([reviewed, says(**CORRECTION)], tmp_path, combined=True) as (teacher, server, _):
        own = await teacher.judge(situation())
        repair = await teacher.repair(situation(), own if without else Verdict("expert:x", "harmful", "It is cold."))
    assert repair.action == "go to kitchen"
    assert [asked_for(body) for body in server.bodies] == ["review", "correction"]


async def test_repairs_of_one_place_are_known_as_such(tmp_path: Path) -> None:
    other = says(**CORRECTION | {"action": "wait"})
    async with teaching([says(**CORRECTION), other], tmp_path) as (teacher, _, _):
        verdict = Verdict("j", "needless", "")
        one = await teacher.repair(situation(), verdict)
        again = await teacher.repair(situation(), verdict)
        elsewhere = await teacher.repair(situation("wait"), verdict)
    assert one.position == again.position != elsewhere.position


async def test_the_reference_is_in_the_question_and_not_in_the_verdict(tmp_path: Path) -> None:
    class Whispered(Reference):
        async def lines(self, situation: Any) -> Sequence[str]:
            del situation
            return ["the answer is 42"]

    async with teaching([BAD], tmp_path, Whispered()) as (teacher, server, _):
        verdict = await teacher.judge(situation(advice=giving("wait")))
    assert "the answer is 42" in server.bodies[0]["messages"][-1]["content"]
    assert "the answer is 42" not in str(verdict)


async def test_no_answer_is_no_verdict(tmp_path: Path) -> None:
    async with teaching([Say("Looks fine!"), Say("Fine, I said.")], tmp_path) as (teacher, _, ledger):
        with pytest.raises(RestepError, match="malformed_answer"):
            await teacher.judge(situation())
        assert ledger.spending().failures == {"malformed_answer": 1}
