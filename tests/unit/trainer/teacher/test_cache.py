from hypothesis import given
from hypothesis import strategies as st

from shared.store import TrajectoryStore
from trainer.teacher.cache import AnswerCache, content_key


def test_an_answer_is_found_again_after_a_restart_and_stays_the_same(place: str) -> None:
    with TrajectoryStore(place) as store, TrajectoryStore(place) as elsewhere:
        cache, other = AnswerCache(store.books("teacher")), AnswerCache(elsewhere.books("teacher"))
        assert cache.get("k") is None
        assert cache.put("k", "first") == "first"
        assert other.put("k", "second") == "first"
    with TrajectoryStore(place) as store:
        assert AnswerCache(store.books("teacher")).get("k") == "first"


def test_answers_are_of_one_run(place: str) -> None:
    with TrajectoryStore(place, namespace="one") as one, TrajectoryStore(place, namespace="two") as two:
        AnswerCache(one.books("teacher")).put("k", "said")
        assert AnswerCache(two.books("teacher")).get("k") is None
        assert AnswerCache(one.books("golden")).get("k") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)
BODIES = st.dictionaries(st.text(max_size=5), JSON, max_size=4)


@given(BODIES, BODIES)
def test_a_key_is_of_the_content_alone(one: dict[str, object], two: dict[str, object]) -> None:
    reordered = dict(reversed(one.items()))
    assert content_key(one) == content_key(reordered)
    assert (content_key(one) == content_key(two)) == (one == two and repr(sorted(one.items())) == repr(sorted(two.items())))
