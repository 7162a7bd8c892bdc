from pathlib import Path

import pytest
from tests.curation.small_stages import write_pictures

from mezzotint.cli.main import main
from mezzotint.curation.profiling.stage import ALL_MEASURES

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Daft's, of its worker processes


def test_limits_lists_every_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["curate", "limits"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ALL_MEASURES)
    assert "15..250" in shown


def test_a_run_says_what_was_dropped_and_where_the_report_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pictures(tmp_path / "in", 3)
    assert main(["curate", "run", "--input", str(source), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    shown = capsys.readouterr().out
    assert "below 256 (3)" in shown
    assert "0 of 3 pictures were kept" in shown
    assert shown.splitlines()[-1].replace("\n", "").endswith("report.html")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--input", "{tmp}/nowhere"], "does not exist"),
        (["--input", "{tmp}/empty"], "is an empty folder"),
        (["--input", "{tmp}"], "lies inside of the input"),
        (["--input", "nosuch://x"], "cannot be opened"),
        (["--input", "{tmp}", "--limits", "beauty=1.."], "there is no measure 'beauty'"),
        (["--input", "{tmp}", "--workers", "0"], "--workers is 0"),
        ([], "input"),
    ],
)
def test_mistakes_are_one_clear_line(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    assert main(["curate", "run", "--out", str(tmp_path / "out"), *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert complaint in error
    assert error.count("\n") == 1
