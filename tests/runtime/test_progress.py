import io
import re

import pytest
from rich.console import Console

from mezzotint.runtime import progress


def test_a_line_says_how_much_how_fast_and_how_long_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([100.0, 105.0, 110.0, 115.0, 120.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.progress("things", 400) as advance:
        for _ in range(4):
            advance(50)
    assert capsys.readouterr().err.splitlines() == [
        "things: 100/400, 10.0/s, 0:00:30 left",
        "things: 200/400, 10.0/s, 0:00:20 left",
    ]


def test_nothing_done_has_no_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.progress("things", 400) as advance:
        advance(0)
    assert capsys.readouterr().err == "things: 0/400, 0.0/s, unknown left\n"


def test_a_bar_shows_the_speed() -> None:
    with progress._bar() as bar:
        task = bar.add_task("things", total=10)
        shown = io.StringIO()
        Console(file=shown, width=120).print(bar.get_renderable())
        assert "0/10" in shown.getvalue()
        for _ in range(3):
            bar.advance(task, 2)
        Console(file=shown, width=120).print(bar.get_renderable())
    assert re.search(r"6/10 +[\d.]+/s", shown.getvalue())
