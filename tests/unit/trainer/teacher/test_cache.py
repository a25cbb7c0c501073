from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trainer.teacher.cache import AnswerCache, content_key


def test_an_answer_is_found_again_after_a_restart_and_stays_the_same(tmp_path: Path) -> None:
    with AnswerCache(tmp_path / "cache.db") as cache:
        assert cache.get("k") is None
        cache.put("k", "first")
        cache.put("k", "second")
    with AnswerCache(tmp_path / "cache.db") as cache:
        assert cache.get("k") == "first"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)
BODIES = st.dictionaries(st.text(max_size=5), JSON, max_size=4)


@given(BODIES, BODIES)
def test_a_key_is_of_the_content_alone(one: dict[str, object], two: dict[str, object]) -> None:
    reordered = dict(reversed(one.items()))
    assert content_key(one) == content_key(reordered)
    assert (content_key(one) == content_key(two)) == (one == two and repr(sorted(one.items())) == repr(sorted(two.items())))
