from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.model_server import Act, ModelServer, Say, model_server
from trainer.dialogue import Message
from trainer.teacher.cache import AnswerCache
from trainer.teacher.endpoint import Endpoint
from trainer.teacher.ledger import Ledger, Purpose
from trainer.teacher.structured import answer_schema, ask

WHY = Purpose("reflected/house", "judge")
ASKED = [Message("user", "wait")]


class Inner(BaseModel):
    action: Annotated[str, Field(max_length=40)]


class Word(BaseModel):
    reason: Annotated[str, Field(max_length=40)]
    decision: Literal["good", "bad"]
    inner: Inner | None = None


GOOD = Say('{"reason": "r", "decision": "bad", "inner": null}')


@asynccontextmanager
async def asking(
    acts: Iterable[Act], folder: Path, **options: Any
) -> AsyncGenerator[tuple[Endpoint, AnswerCache, ModelServer]]:
    with TrajectoryStore(folder / "store.db") as store:
        books = store.books("teacher")
        async with model_server(acts) as server, Endpoint(server.options(**options), Ledger(books)) as endpoint:
            yield endpoint, AnswerCache(books), server


@pytest.mark.parametrize(
    "text",
    [
        GOOD.text,
        f"```json\n{GOOD.text}\n```",
        f'<think>Is it {{"decision": "good"}}?</think>\n{GOOD.text}',
        f"Here it is: {GOOD.text} I hope this helps.",
    ],
)
async def test_an_answer_is_read_whatever_surrounds_it(tmp_path: Path, text: str) -> None:
    async with asking([Say(text)], tmp_path) as (endpoint, cache, _):
        assert await ask(endpoint, cache, WHY, ASKED, Word) == Word(reason="r", decision="bad")


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (Say("I think it is bad."), "no JSON object"),
        (Say('{"reason": "r"}'), "decision: Field required"),
        (Say('{"reason": r}'), "no JSON: Expecting value"),
        (Say('{"reason": "r", "decision": "bad", "inner": {}}'), "inner.action: Field required"),
        (Say('{"reason": "r", "decision": "correct"}'), "decision: Input should be 'good' or 'bad'"),
        (Say('{"reason": "r", "decision": "good"', "length"), "cut off after 10 tokens"),
        (Say(""), "no JSON object"),
    ],
)
async def test_a_malformed_answer_is_sent_back_once_with_what_is_wrong(tmp_path: Path, bad: Say, complaint: str) -> None:
    async with asking([bad, GOOD], tmp_path) as (endpoint, cache, server):
        assert (await ask(endpoint, cache, WHY, ASKED, Word)).decision == "bad"
        assert endpoint.ledger.spending().malformed == 1
        again = server.bodies[1]["messages"]
        assert again[:2] == [{"role": "user", "content": "wait"}, {"role": "assistant", "content": bad.text or "(nothing)"}]
        assert complaint in again[2]["content"]
        assert (await ask(endpoint, cache, WHY, ASKED, Word)).decision == "bad"
    assert len(server.bodies) == 2


async def test_control_characters_in_a_text_are_forgiven(tmp_path: Path) -> None:
    async with asking([Say('{"reason": "a\tb\nc", "decision": "bad", "inner": null}')], tmp_path) as (endpoint, cache, _):
        assert (await ask(endpoint, cache, WHY, ASKED, Word)).reason == "a\tb\nc"
        assert (await ask(endpoint, cache, WHY, ASKED, Word)).reason == "a\tb\nc"


async def test_malformed_twice_is_a_counted_failure_and_asked_anew_later(tmp_path: Path) -> None:
    async with asking([Say("?"), Say("!"), GOOD], tmp_path) as (endpoint, cache, _):
        with pytest.raises(RestepError, match=r"malformed_answer: scripted, judge, asked twice: no JSON object"):
            await ask(endpoint, cache, WHY, ASKED, Word)
        spent = endpoint.ledger.spending()
        assert (spent.requests, spent.malformed, spent.failures) == (2, 2, {"malformed_answer": 1})
        assert (await ask(endpoint, cache, WHY, ASKED, Word)).decision == "bad"


async def test_the_same_question_is_paid_once_and_another_anew(tmp_path: Path) -> None:
    async with asking([GOOD, GOOD], tmp_path) as (endpoint, cache, server):
        for _ in range(3):
            await ask(endpoint, cache, WHY, ASKED, Word)
        assert (len(server.bodies), endpoint.ledger.spending().cache_hits) == (1, 2)
        await ask(endpoint, cache, WHY, [Message("user", "go")], Word)
        assert len(server.bodies) == 2


def test_the_schema_requires_every_field_and_allows_no_other() -> None:
    schema = answer_schema(Word)
    assert (schema["required"], schema["additionalProperties"]) == (["reason", "decision", "inner"], False)
    inner = schema["$defs"]["Inner"]
    assert (inner["required"], inner["additionalProperties"]) == (["action"], False)
    assert "maxLength" not in str(schema)
    assert answer_schema(Word, lengths=True)["properties"]["reason"]["maxLength"] == 40


def test_a_field_may_be_called_like_a_keyword_of_schemas() -> None:
    class Odd(BaseModel):
        title: str
        default: int

    assert list(answer_schema(Odd)["properties"]) == ["title", "default"]
