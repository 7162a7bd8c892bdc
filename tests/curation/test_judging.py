import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded
from tests.curation.test_curate import ORIGIN, digests

from mezzotint.curation import tables
from mezzotint.curation.curate import DEFAULT_RULES, Rules, curate
from mezzotint.curation.judging import Judge, Judging
from mezzotint.curation.profiling.decoding import Picture
from mezzotint.curation.stage import ROW, Stage
from mezzotint.curation.thresholds import DEFAULTS, Between
from mezzotint.data.parquet import pa
from mezzotint.data.records import Caption, read_records

COUNT = 10


@dataclass(frozen=True, kw_only=True)
class Redness:
    """Says how red a picture is, and nothing of one without a caption."""

    version: str = "1"
    most: float | None = None
    name: str = "redness"
    device: str | None = "cpu"
    others: tuple[pa.Field, ...] = (pa.field("tags", pa.list_(pa.string())), pa.field("why", pa.string()))

    @property
    def limits(self) -> tuple[Between, ...]:
        return (Between(measure="red", most=self.most),)

    def __call__(self, pictures: Sequence[Picture], captions: Sequence[Sequence[Caption]]) -> list[dict[str, Any]]:
        return [
            {"red": float(picture.rgb[..., 0].mean()), "tags": ["seen", own[0].text]} if own else {"why": "no caption"}
            for picture, own in zip(pictures, captions, strict=True)
        ]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of which all but the first have captions, and one that is broken."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(COUNT):
        pixels = np.asarray(detailed((400, 320), number)).copy()
        pixels[..., 0] //= 1 + number % 2
        (folder / f"{number}.png").write_bytes(encoded(Image.fromarray(pixels)))
        if number:
            (folder / f"{number}.txt").write_text(f"picture {number}")
    (folder / "broken.png").write_bytes(b"nothing")
    return folder


def rules(judge: Redness) -> Rules:
    limits = [Between(measure=limit.measure) for limit in DEFAULTS]
    return replace(DEFAULT_RULES, limits=[*limits, *judge.limits], judges=[judge])


def judged(out: Path) -> dict[str, dict[str, Any]]:
    path = out / "passes" / "redness" / "00000.parquet"
    return {row["id"]: row for batch in tables.batches(path) for row in batch.to_pylist()}


def test_it_keeps_the_contract_of_a_stage_and_travels() -> None:
    judging = Judging(judge=Redness(), threads=1)
    assert isinstance(Redness(), Judge)
    assert isinstance(judging, Stage)
    assert pickle.loads(pickle.dumps(judging)) == judging
    assert Judging(judge=Redness(device=None), threads=1).resources.gpus == 1


def test_what_cannot_be_read_is_not_shown_to_the_judge() -> None:
    rows = [{"picture": data, "captions": []} for data in (b"", encoded(detailed((40, 30))), b"nothing")]
    outcome = Judging(judge=Redness(), threads=1)(pa.RecordBatch.from_pylist(rows, schema=ROW))
    assert outcome.reasons == ["an empty file", None, "not a picture (JPEG, PNG, WEBP, GIF, BMP, TIFF)"]
    assert outcome.rows.column("why").to_pylist() == [None, "no caption", None]


def test_a_judges_measure_is_a_limit_a_histogram_and_a_column_of_the_clean_set(source: Path, tmp_path: Path) -> None:
    curate(str(source), tmp_path, origin=ORIGIN, rules=rules(Redness(most=90.0)), workers=1)
    found = judged(tmp_path)
    assert found["0.png"]["red"] is None
    assert found["0.png"]["why"] == "no caption"
    too_red = {one for one, row in found.items() if row["red"] is not None and row["red"] > 90}
    assert 3 <= len(too_red) < COUNT - 1
    records = {record.id: record for record in read_records(tmp_path)}
    assert set(records) == {f"{number}.png" for number in range(COUNT)} - too_red
    for number in range(1, COUNT, 2):
        record = records[f"{number}.png"]
        assert record.measures["red"] == found[record.id]["red"]
        assert Caption("tags", "en", f"seen, picture {number}") in record.captions
    assert "red" not in records["0.png"].measures
    report = json.loads((tmp_path / "report.json").read_text())
    dropped = {stage["name"]: stage["seen"] - stage["kept"] for stage in report["stages"]}
    assert dropped["red"] == len(too_red)
    assert dropped["profile"] == 1
    histogram = report["measures"]["red"]["histogram"]
    assert sum(histogram["kept"]) + sum(histogram["dropped"]) == COUNT - 1
    assert "<b>red</b>" in (tmp_path / "report.html").read_text()


def test_other_limits_and_other_judges_judge_nothing_again(source: Path, tmp_path: Path) -> None:
    curate(str(source), tmp_path, origin=ORIGIN, rules=rules(Redness()), workers=1)
    passes = [tmp_path / "passes" / name / "00000.parquet" for name in ("profile", "redness")]
    before, contents = [path.stat().st_mtime_ns for path in passes], digests(tmp_path)
    curate(str(source), tmp_path, origin=ORIGIN, rules=rules(Redness(most=90.0)), workers=1)
    assert [path.stat().st_mtime_ns for path in passes] == before
    curate(str(source), tmp_path, origin=ORIGIN, rules=rules(Redness()), workers=1)
    assert digests(tmp_path) == contents
    curate(str(source), tmp_path, origin=ORIGIN, rules=rules(Redness(version="2")), workers=1)
    assert passes[0].stat().st_mtime_ns == before[0]
    assert passes[1].stat().st_mtime_ns != before[1]
