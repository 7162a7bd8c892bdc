import json
from pathlib import Path

import pytest
from PIL import Image
from tests.evaluation.conftest import cache, corpus, judge, shared_cache  # noqa: F401

from mezzotint.cli.main import main

# ruff: noqa: F811 — fixtures are arguments of their own name


def test_writes_a_report_in_three_forms(
    model: Path, corpus: Path, judge: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    arguments = [str(model), "--suite", "scenes", "--data", str(corpus), "--out", str(out), "--judge", str(judge)]
    arguments += ["--limit", "2"]
    assert main(["evaluate", *arguments, "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "scenes: Scenes" in shown
    assert "tiny: seconds: scenes" in shown
    assert shown.rstrip().endswith("report.md")
    content = json.loads((out / "report.json").read_text())
    assert content["conditions"]["seed"] == 0
    assert len(content["conditions"]["judge"]) == 64
    assert content["conditions"]["models"]["tiny"]["steps"] > 0
    assert content["results"]["tiny"][0]["suite"] == "scenes"
    assert "### Scenes" in (out / "report.md").read_text()
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.height > 500


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["{model}", "--suite", "beauty", "--data", "d", "--out", "o"], "there is no suite 'beauty'"),
        (["{model}", "--data", "d", "--out", "o", "--limit", "1"], "--limit is 1"),
        (["nobody", "--data", "d", "--out", "o"], "model 'nobody'"),
        (["{model}", "--suite", "scenes", "--data", "d", "--judge", "{tmp}", "--out", "o"], "no *.safetensors file"),
        (["{model}", "--data", "d", "--out", "{model}/model_index.json"], "model_index.json is a file"),
        (["{model}", "--suite", "reconstruction", "--data", "{tmp}", "--out", "o"], "no records in"),
    ],
)
def test_mistakes_are_one_clear_line(
    arguments: list[str], complaint: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *(argument.format(model=model, tmp=tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert complaint in error
    assert error.count("\n") == 1
