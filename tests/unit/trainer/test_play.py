from __future__ import annotations

from pathlib import Path

from trainer.play import Play, PlayFile, PlayStep


def test_a_line_cut_off_by_a_kill_is_played_again_and_harms_no_other(tmp_path: Path) -> None:
    file = PlayFile(tmp_path / "plays.jsonl")
    play = Play(
        "wander", "boil/1", "goal", "look", (PlayStep("wait", "You wait."), PlayStep("x", "y", ("look", "hall"))), {"a": "b"}
    )
    file.add(2, play)
    file.add(0, play)
    with (tmp_path / "plays.jsonl").open("ab") as raw:
        raw.write(b'{"number": 1, "kind"')
    assert [row["number"] for row in file.rows()] == [0, 2]
    file.add(1, play)
    assert [row["number"] for row in file.rows()] == [0, 1, 2]
    assert file.plays() == [play] * 3
