import gc
import json
from pathlib import Path

import pytest
from tests.curation.judges.test_heads import write as write_head
from tests.curation.profiling.pictures import detailed, encoded
from tests.perception.tiny_published import write_classifier

from mezzotint.cli.curate_judges import Judges, chosen
from mezzotint.cli.main import main
from mezzotint.curation.judges.tags import Tagger

# Daft's, of its worker processes; it waits 5 s for one to end, and one with torch takes longer on a busy machine.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]


def write_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.png").write_bytes(encoded(detailed((400, 320), number)))
        (folder / f"{number}.txt").write_text("a red apple on a table")
    return folder


def test_judges_that_are_asked_for_look_at_the_pictures(tmp_path: Path) -> None:
    source, out = write_pictures(tmp_path / "in", 3), tmp_path / "out"
    classifier = write_classifier(tmp_path / "classifier", ("neutral", "porn"))
    arguments = ["--input", str(source), "--out", str(out), "--workers", "1", "--device", "cpu"]
    asked = ["--alignment", "mini-clip", "--nsfw", str(classifier), "--nsfw-labels", "porn"]
    assert main(["curate", "run", *arguments, *asked, "--limits", "nsfw=..,alignment_en=1.."]) == 0
    gc.collect()
    report = json.loads((out / "report.json").read_text())
    dropped = {stage["name"]: stage["seen"] - stage["kept"] for stage in report["stages"]}
    assert dropped["alignment_en"] == 3
    assert {"alignment_en", "nsfw"} <= set(report["measures"])
    assert "alignment_zh" not in report["measures"]  # no caption is Chinese
    assert {path.name for path in (out / "passes").iterdir()} >= {"alignment", "nsfw", "profile"}


def test_none_is_none_and_cheaper_ones_come_first() -> None:
    assert chosen(Judges()) == []
    judges = chosen(Judges(tagger="http://127.0.0.1:1/v1", tagger_model="a", alignment="mini-clip", device="cpu"))
    assert [judge.name for judge in judges] == ["alignment", "tags"]
    assert isinstance(judges[1], Tagger)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--alignment", "sentences"], "does not both see and read"),
        (["--alignment", "nowhere"], "neither a folder nor one of"),
        (["--quality", "{tmp}"], "holds no quality head"),
        (["--heads", "{tmp}"], "holds no head"),
        (["--nsfw", "{tmp}"], "not a classifier's folder"),
        (["--tagger", "{tmp}"], "not a model's folder"),
        (["--tagger", "http://127.0.0.1:1/v1"], "--tagger-model says which model"),
        (["--limits", "nsfw=..0.3"], "there is no measure 'nsfw'"),
        (["--nsfw-labels", "porn"], "name its folder with --nsfw"),
        (["--tagger-model", "a"], "name that with --tagger"),
        (["--heads", "{tmp}/nsfw", "--nsfw", "{tmp}/classifier"], "two columns are called 'nsfw'"),
        (["--heads", "{tmp}/style"], "two columns are called 'style'"),
        (["--heads", "{tmp}/luma"], "two columns are called 'luma'"),
        (["--heads", "{tmp}/x", "{tmp}/x"], "two columns are called 'x'"),
    ],
)
def test_mistakes_are_said_before_anything_runs(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_classifier(tmp_path / "classifier", ("neutral", "nsfw"))
    for name in ("nsfw", "style", "luma", "x"):
        write_head(tmp_path / name, name)
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    capsys.readouterr()
    assert main(["curate", "run", "--input", str(tmp_path), "--out", str(tmp_path / "out"), *given]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
