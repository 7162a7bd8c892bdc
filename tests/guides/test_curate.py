"""The five commands of the guide, on the pictures of the fixture corpus and a few that are to be dropped."""

import gc
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from tests.fixtures.small_packages import CORPUS
from tests.guides.blocks import blocks, commands

from mezzotint.cli.main import main
from mezzotint.data.records import read_records

PAGE = Path("docs/guides/curate.md").absolute()


def write_pictures(folder: Path) -> None:
    folder.mkdir()
    for number, record in enumerate(read_records(CORPUS.absolute())):
        with Image.open(io.BytesIO(record.picture or b"")) as picture:
            picture.save(folder / f"{number:03d}.png")
        (folder / f"{number:03d}.txt").write_text(record.captions[0].text, encoding="utf-8")
    whole = (folder / "000.png").read_bytes()
    (folder / "copy.png").write_bytes(whole)
    (folder / "cut off.png").write_bytes(whole[: len(whole) // 2])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the pipes of Daft's workers
def test_the_five_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    five = [command for block in blocks(PAGE) if block.language == "sh" for command in commands(block)]
    assert [command[:2] for command in five[:3]] == [["curate", "limits"], ["curate", "run"], ["curate", "run"]]
    assert len(five) == 5
    for command in five:
        assert main(command) == 0, " ".join(command)
    gc.collect()
    report = json.loads((tmp_path / "clean" / "report.json").read_text())
    dropped = {stage["name"]: stage["seen"] - stage["kept"] for stage in report["stages"]}
    assert (dropped["profile"], dropped["duplicates"] >= 1) == (1, True)
    assert report["kept"] == len(list(read_records(tmp_path / "clean"))) >= 40
    assert "<svg" in (tmp_path / "clean" / "report.html").read_text()
    assert json.loads((tmp_path / "clean" / "dead-letters.jsonl").read_text())["id"] == "cut off.png"
    assert list((tmp_path / "encoded").glob("*"))
