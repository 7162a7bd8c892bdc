import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.curation.profiling.pictures import detailed, encoded, smooth
from tests.curation.test_curate import ORIGIN

from mezzotint.cli.main import main
from mezzotint.curation import reading, tables
from mezzotint.curation.curate import DEFAULT_RULES, curate
from mezzotint.curation.reading import ReadText, Texts, read, read_texts
from mezzotint.curation.stage import Stage
from mezzotint.data.records import write_shard
from mezzotint.perception.text_reader import TextLine


@dataclass
class OneLine:
    """Reads the same in every picture."""

    version: str = "1"

    def read(self, rgb: np.ndarray) -> list[TextLine]:
        height, width = rgb.shape[:2]
        corners = np.array([(0, 0), (width, 0), (width, height // 4), (0, height // 4)], np.float32)
        return [TextLine("un texte avec des mots", corners, 0.9)]


def with_text(lines: list[str], size: int) -> Image.Image:
    picture = smooth((480, 360)).point(lambda level: 200 + level // 5)
    for number, text in enumerate(lines):
        ImageDraw.Draw(picture).text((20, 15 + 2 * size * number), text, "black", ImageFont.load_default(size))
    return picture


def test_it_keeps_the_contract_and_leaves_its_networks_behind() -> None:
    stage = ReadText.by(OneLine())
    assert isinstance(stage, Stage)
    assert pickle.loads(pickle.dumps(stage)) == stage


def test_another_reader_is_another_version() -> None:
    one, same, other = (ReadText.by(OneLine(version)).version for version in ("1", "1", "2"))
    assert one == same != other


def test_a_record_file_without_records_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "RapidOcr", OneLine)
    write_shard(tmp_path / "corpus" / "a" / "records-00000.parquet", [])
    assert read_texts(tmp_path / "corpus", tmp_path / "out", most_share=0.2, workers=1) == Texts(0, 0, 0)


def test_what_a_reader_finds_becomes_columns() -> None:
    columns, reason = read(encoded(detailed((400, 300))), OneLine())
    assert reason is None
    assert columns["text_language"] == "fr"
    assert columns["text_share"] == pytest.approx(0.25, abs=0.01)
    assert columns["smallest_character"] == pytest.approx(0.25)
    assert read(b"nothing", OneLine())[1] is not None


@pytest.mark.slow
def test_posters_are_listed_and_pictures_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rapidocr", reason="pip install -e '.[reading]'")
    source = tmp_path / "source"
    source.mkdir()
    poster = ["A poster full of words", "and more words below", "with numbers 12345", "and one more line", "the end"]
    (source / "poster.png").write_bytes(encoded(with_text(poster, 32)))
    (source / "sign.png").write_bytes(encoded(with_text(["Open"], 20)))
    (source / "none.png").write_bytes(encoded(detailed((400, 300))))
    curate(str(source), tmp_path / "clean", origin=ORIGIN, rules=DEFAULT_RULES, workers=1)
    assert main(["curate", "read", str(tmp_path / "clean"), "--out", str(tmp_path / "text"), "--workers", "1"]) == 0
    listed = [json.loads(line)["id"] for line in (tmp_path / "text" / "prune.jsonl").read_text().splitlines()]
    assert listed == ["poster.png"]
    rows = {
        row["id"]: row for batch in tables.batches(tmp_path / "text/texts/00000.parquet") for row in batch.to_pylist()
    }
    assert rows["sign.png"]["text"] == "Open"
    assert rows["poster.png"]["text"].splitlines() == poster
    assert rows["none.png"]["text_lines"] == 0
    assert "3 pictures, 2 with text; 1 with much of it" in capsys.readouterr().out
