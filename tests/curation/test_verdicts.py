from pathlib import Path

from tests.curation.test_copies import write_passes

from mezzotint.curation.copies import drop_copies
from mezzotint.curation.duplicates import Alike
from mezzotint.curation.verdicts import Verdicts


def test_the_passes_are_told_side_by_side(tmp_path: Path) -> None:
    profiles, selected = write_passes(tmp_path)
    copies = drop_copies(tmp_path / "duplicates.parquet", profiles, selected, Alike())
    verdicts = Verdicts(profiles=profiles, selected=selected, copies=copies)
    rows = list(verdicts.rows(["id"]))
    assert [(row["id"], row["dropped_by"], row["reason"], row["of"]) for row in rows] == [
        ("a0", None, None, None),
        ("a1", "profile", "an empty file", None),
        ("a2", "luma", "below 10", None),
        ("b0", "duplicates", "an exact copy", "a0"),
        ("b1", None, None, None),
        ("b2", "duplicates", "a near copy", "a0"),
    ]
    assert [verdicts.kept(shard) for shard in (0, 1)] == [{0}, {1}]
