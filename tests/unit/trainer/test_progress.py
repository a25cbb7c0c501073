import io

import pytest
from rich.console import Console

from trainer.progress import Progress, bar, describe


def progress(**changes: float | None) -> Progress:
    values: dict[str, float | None] = {"total": 100, "found": 20, "finished": 28, "succeeded": 36, "failed": 2, "elapsed": 15.0}
    return Progress(**{**values, **changes})  # pyright: ignore[reportArgumentType]  # ints and None among floats


def test_rate_success_and_time_left_count_what_this_run_did() -> None:
    assert progress().rate == 2.0
    assert progress().success == 0.75
    assert progress().completed == 50
    assert progress().eta == 25.0
    assert describe(progress()) == "2.0/s · success 75% · 2 failed · 0:25 left"


def test_nothing_is_claimed_before_there_is_anything_to_tell() -> None:
    start = progress(found=0, finished=0, succeeded=0, failed=0, elapsed=0.0)
    assert (start.rate, start.success, start.eta) == (0.0, None, None)
    assert describe(start) == "0.0/s"
    assert describe(progress(succeeded=None)) == "2.0/s · 2 failed · 0:25 left"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_shows_the_last_progress(terminal: bool) -> None:
    out = io.StringIO()
    with bar("golden", Console(file=out, width=120, force_terminal=terminal)) as report:
        report(progress(finished=0, succeeded=0, failed=0))
        report(progress())
    assert "golden" in out.getvalue()
    assert "50/100" in out.getvalue()
    assert "success 75% · 2 failed" in out.getvalue()
