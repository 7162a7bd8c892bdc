import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.curation.small_stages import png
from tests.curation.sources.test_locate import ORIGIN, rows
from tests.fixtures import small_packages

from mezzotint.curation.sources import open_input
from mezzotint.data.records import read_records
from mezzotint.errors import FileFormatError


def test_records_keep_all_that_they_know() -> None:
    found = rows(str(small_packages.CORPUS / "sprites" / "records-00000.parquet"))
    records = list(read_records(small_packages.CORPUS, parts=["sprites"]))
    assert [row["id"] for row in found] == [record.id for record in records]
    assert [row["picture"] for row in found] == [record.picture for record in records]
    assert [row["licence"] for row in found] == [record.licence for record in records]
    assert [len(row["captions"]) for row in found] == [len(record.captions) for record in records]


def test_a_row_group_is_a_shard_and_numbers_count_within(tmp_path: Path) -> None:
    table = pa.table({"image": [png(i) for i in range(40)], "text": [f"shade {i}" for i in range(40)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=25)
    assert [shard.rows for shard in open_input(str(tmp_path), ORIGIN)] == [25, 15]
    found = rows(str(tmp_path))
    assert [row["picture"] for row in found] == [png(i) for i in range(40)]
    assert [row["number"] for row in found] == [*range(25), *range(15)]
    assert found[26]["id"] == "a.parquet/1/1"
    assert found[3]["captions"][0]["text"] == "shade 3"


def test_pictures_of_public_data_sets_and_paths_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png(5))
    pq.write_table(pa.table({"image": [{"bytes": png(4), "path": None}]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"path": ["x.png", "gone.png", None]}), tmp_path / "b.parquet")
    found = {row["id"]: row for row in rows(str(tmp_path)) if str(row["id"]) != "x.png"}
    assert found["a.parquet/0/0"]["picture"] == png(4)
    assert found["b.parquet/0/0"]["picture"] == png(5)
    assert "No such file" in str(found["b.parquet/0/1"]["unread"])
    assert found["b.parquet/0/2"]["unread"] == "neither a picture nor a path to one"


@pytest.mark.parametrize("named", [{"path": ["x.png"]}, {"image": [{"bytes": None, "path": "x.png"}]}])
def test_a_digest_follows_the_pictures_that_are_named(tmp_path: Path, named: dict[str, list[object]]) -> None:
    table = tmp_path / "a.parquet"
    pq.write_table(pa.table(named), table)
    digests = []
    for size in (None, 8, 8, 90):
        if size is not None:
            (tmp_path / "x.png").write_bytes(png(5, (size, size)))
            os.utime(tmp_path / "x.png", (0, 0))
        (shard,) = open_input(str(table), ORIGIN)
        digests.append(shard.digest)
    assert digests[1] == digests[2]
    assert len(set(digests)) == 3
    os.utime(tmp_path / "x.png", (1, 1))
    assert open_input(str(table), ORIGIN)[0].digest not in digests


def test_tables_without_pictures_and_broken_ones_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(FileFormatError, match=r"a\.parquet has no column of pictures or paths"):
        open_input(str(tmp_path / "a.parquet"), ORIGIN)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(FileFormatError, match=r"a\.parquet is not a readable Parquet file"):
        open_input(str(tmp_path / "a.parquet"), ORIGIN)
