import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from tests.fixtures import small_packages

from mezzotint.cli.main import main
from mezzotint.data.records import read_records, write_shard


def test_show_counts_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "show", str(small_packages.CORPUS)]) == 0
    shown = capsys.readouterr().out
    summary = json.loads((small_packages.CORPUS / "summary.json").read_text())
    assert f"{summary['rows']} pictures" in shown
    for word in ("fluent-3d", "CC-BY-4.0", "train", "Twemoji"):
        assert word in shown


def test_show_counts_a_corpus_that_no_build_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `curate prune` writes it, with licences that are a user's own."""
    (record,) = islice(read_records(small_packages.CORPUS), 1)
    whole = replace(record, source="holidays + work", licence="MIT AND CC0-1.0", credit="nobody")
    write_shard(tmp_path / "curated" / "records-00000.parquet", [whole])
    assert main(["corpus", "show", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "1 pictures" in shown
    for text in ("curated", "holidays + work", "MIT AND CC0-1.0"):
        assert text in shown


def test_without_resvg_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['resvg_py'] = None; from mezzotint.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "corpus", "show", str(small_packages.CORPUS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install -e '.[training]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["show", "{tmp}"], "no records in"),
        (["build", "--out", "{tmp}", "--parts", "sprites,photographs"], "there is no part 'photographs'"),
        (["build", "--out", "{tmp}", "--scenes", "0"], "--scenes is 0"),
        (["build", "--out", "{tmp}", "--size", "7"], "--size is 7"),
        (["build", "--out", "{tmp}", "--workers", "-1"], "--workers is -1"),
        (["build", "--out", "{tmp}", "--subjects", "pair", "dogs=2"], "--subjects has 'dogs=2'"),
        (["build", "--out", "{tmp}", "--longest-text", "1"], "--longest-text is 1; it must be from 2 to 9"),
        (["build", "--out", "{tmp}", "--subjects", "pair", "pair=2"], "--subjects has 'pair' twice"),
        (["build", "--out", "{tmp}", "--subjects", "pair=0"], "--subjects has 'pair=0'"),
        (["build", "--out", "{tmp}", "--styles", "cubist"], "--styles has 'cubist'"),
        (["build", "--out", "{tmp}", "--fonts", "comic"], "--fonts has 'comic'"),
        (["build"], "out"),
    ],
)
def test_mistakes_are_one_clear_line(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpus", *(argument.format(tmp=tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert complaint in error
    assert error.count("\n") == 1
