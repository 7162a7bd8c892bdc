import io
import pickle

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded

from mezzotint.curation.profiling import hashes
from mezzotint.curation.profiling.stage import ALL_MEASURES, OTHERS, Profile
from mezzotint.curation.sources.rows import Found, Origin, batches, blank
from mezzotint.curation.stage import ROW, Stage, apply, table_schema

PICTURE = detailed((300, 200))
FILES = {
    "good": encoded(PICTURE),
    "empty": b"",
    "jpeg": encoded(PICTURE, "JPEG"),
    "broken": encoded(PICTURE, "JPEG")[:5000],
    "animated": encoded(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(180)]),
}


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, object]]:
    found = [Found(blank(name, Origin(source="test")) | {"picture": data}) for name, data in FILES.items()]
    table = apply(next(batches(found)), "read", [Profile()], table_schema(ROW, [Profile()]))
    return {row["id"]: row for row in table.to_pylist()}


def test_it_keeps_the_contract() -> None:
    assert isinstance(Profile(), Stage)
    assert pickle.loads(pickle.dumps(Profile())) == Profile()
    assert len({field.name for field in Profile().writes}) == 3 + len(ALL_MEASURES) + len(OTHERS)


def test_what_cannot_be_read_says_why_and_has_no_measures(rows: dict[str, dict[str, object]]) -> None:
    assert {name: row["dropped_by"] for name, row in rows.items() if row["dropped_by"]} == {
        "empty": "profile",
        "broken": "profile",
    }
    assert rows["empty"]["reason"] == "an empty file"
    assert rows["broken"]["entropy"] is None
    assert rows["broken"]["sha256"] == hashes.sha256(FILES["broken"])


def test_what_is_read_has_every_measure(rows: dict[str, dict[str, object]]) -> None:
    for name in ("good", "jpeg", "animated"):
        row = rows[name]
        assert all(isinstance(row[measure], float) and np.isfinite(row[measure]) for measure in ALL_MEASURES)
        assert (row["width"], row["height"], row["short_side"], row["aspect"]) == (300, 200, 200, 1.5)
        assert row["file_bytes"] == len(FILES[name])
        assert row["compression_ratio"] == 300 * 200 * 3 / len(FILES[name])
        preview = np.asarray(Image.open(io.BytesIO(row["preview"])).convert("RGB"))
        assert preview.shape == (50, 75, 3)
        small = PICTURE.reduce(4)
        assert np.abs(preview.astype(float) - np.asarray(small)).mean() < 20
    assert {rows[name]["format"] for name in ("good", "jpeg", "animated")} == {"PNG", "JPEG", "GIF"}
    assert rows["animated"]["frames"] == 2
    assert (int(rows["good"]["perceptual_hash"]) ^ int(rows["jpeg"]["perceptual_hash"])).bit_count() <= 4
