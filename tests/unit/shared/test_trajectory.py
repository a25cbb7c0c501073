from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from pydantic import ValidationError

from shared.errors import RestepError
from shared.trajectory import PROVENANCE_LOSS, SCHEMA_VERSION, Provenance, Trajectory, load_trajectory
from tests.support.documents import make_step, make_trajectory, trajectories

Document = dict[str, Any]


def document() -> Document:
    return orjson.loads(make_trajectory().dumps())


def resealed(body: Document) -> Document:
    """The document with the id its changed content has, so that only the change itself can be refused."""
    return {**body, "id": Trajectory.model_validate(body).content_hash()}


@given(trajectories())
def test_any_trajectory_survives_a_round_trip(trajectory: Trajectory) -> None:
    line = trajectory.dumps()
    again = load_trajectory(line)
    assert again == trajectory
    assert again.dumps() == line
    assert b"\n" not in line
    assert load_trajectory(line.decode()) == trajectory
    assert load_trajectory(orjson.loads(line)) == trajectory


@given(trajectories(), trajectories())
def test_id_is_equal_exactly_when_the_content_is(one: Trajectory, other: Trajectory) -> None:
    same = one.model_copy(update={"run": other.run, "created": "2030-01-01T00:00:00+00:00"}).sealed()
    assert same.id == one.id
    content = {"run": "", "created": "", "id": ""}
    assert (one.id == other.id) == (one.model_copy(update=content).dumps() == other.model_copy(update=content).dumps())


def _set(*path: str | int, to: Any) -> Callable[[Document], None]:
    def change(body: Any) -> None:
        for key in path[:-1]:
            body = body[key]
        body[path[-1]] = to

    return change


def _drop(*path: str | int) -> Callable[[Document], None]:
    def change(body: Any) -> None:
        for key in path[:-1]:
            body = body[key]
        del body[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_set("surprise", to=1), "surprise"),
        (_set("steps", 1, "surprise", to=1), "steps.1.surprise"),
        (_set("task", "surprise", to=1), "task.surprise"),
        (_drop("steps", 1, "loss"), "steps.1.loss"),
        (_drop("steps", 0, "provenance"), "steps.0.provenance"),
        (_drop("environment", "data_version"), "environment.data_version"),
        (_drop("seed"), "seed"),
        (_set("steps", 0, "loss", to=1.5), "steps.0.loss"),
        (_set("steps", 0, "loss", to=-0.1), "steps.0.loss"),
        (_set("steps", 0, "loss", to=None), "steps.0.loss"),
        (_set("steps", 0, "provenance", to="guessed"), "steps.0.provenance"),
        (_set("outcome", "ended", to="somehow"), "outcome.ended"),
        (_set("outcome", "score", to=None), "outcome.score"),
        (_set("steps", to="none"), "steps"),
        (_set("schema", to=SCHEMA_VERSION + 1), f"schema {SCHEMA_VERSION + 1}"),
        (_drop("schema"), "schema None"),
        (_set("id", to="0" * 32), "id " + "0" * 32),
        (_set("observation", to="tampered"), "does not match the content"),
    ],
)
def test_refuses_and_names_the_field(change: Callable[[Document], None], named: str) -> None:
    body = document()
    change(body)
    for raw in (body, orjson.dumps(body)):
        with pytest.raises(RestepError) as caught:
            load_trajectory(raw)
        assert caught.value.code == "invalid_trajectory"
        assert named in caught.value.detail


@pytest.mark.parametrize("raw", [b"", b"{", b'{"schema": 1', b"\xff\xfe", "[" * 5000, b"[]", b"1", b'"text"', b"null"])
def test_refuses_what_is_no_document(raw: bytes | str) -> None:
    with pytest.raises(RestepError) as caught:
        load_trajectory(raw)
    assert caught.value.code == "invalid_trajectory"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("steps", 1, "index", to=7), "carries index 7"),
        (_set("steps", 1, "repairs", to=1), "does not precede"),
        (_set("steps", 0, "observation", to=None), "an action and an observation"),
        (_set("steps", 0, "action", to=None), "an action and an observation"),
        (_set("steps", 0, "provenance", to="reflection"), "an action and an observation"),
        (_set("steps", 0, "logprobs", to=[-1.0]), "one to one"),
    ],
)
def test_refuses_incoherent_steps(change: Callable[[Document], None], reason: str) -> None:
    body = document()
    change(body)
    with pytest.raises(RestepError, match=reason):
        load_trajectory(body)


def test_reflection_must_open_a_correction() -> None:
    body = document()
    reflection = make_step(0, "reflection").model_dump()
    body["steps"] = [reflection, make_step(1, "golden").model_dump()]
    with pytest.raises(RestepError, match="not followed by its correction"):
        load_trajectory(body)
    body["steps"] = [reflection, make_step(1, "correction").model_dump()]
    assert [step.provenance for step in load_trajectory(resealed(body)).steps] == ["reflection", "correction"]


@pytest.mark.parametrize("provenance", get_args(Provenance))
def test_a_message_of_its_own_has_no_action_and_was_answered(provenance: Provenance) -> None:
    body = document()
    message = make_step(0, provenance, action=None, observation="Go on.", observation_hash=None).model_dump()
    body["steps"] = [message, make_step(1, "correction").model_dump()]
    assert load_trajectory(resealed(body)).steps[0].observation == "Go on."
    unanswered = {**body, "steps": [{**message, "observation": None}, body["steps"][1]]}
    if provenance == "reflection":
        assert load_trajectory(resealed(unanswered)).steps[0].observation is None
    else:
        with pytest.raises(RestepError, match="no action and is a reflection or was answered"):
            load_trajectory(unanswered)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_is_refused_when_made(number: float) -> None:
    with pytest.raises(ValidationError):
        make_step(0, reward=number)
    with pytest.raises(ValidationError):
        make_trajectory(score=number)


def test_every_provenance_has_a_loss() -> None:
    assert set(PROVENANCE_LOSS) == set(get_args(Provenance))
    assert {kind for kind, loss in PROVENANCE_LOSS.items() if loss == 0.0} == {"error"}
