import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_corpus import sprites

from mezzotint.data.parquet import Format
from mezzotint.data.records import RECORDS, SCHEMA, read_shard, write_shard
from mezzotint.errors import FileFormatError, MissingFileError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "records-00000.parquet"
    write_shard(path, sprites())
    return path.read_bytes()


def complaint(path: Path) -> str:
    with pytest.raises(FileFormatError) as caught:
        list(read_shard(path))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_refused(whole: bytes, share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records-00000.parquet")
        path.write_bytes(whole[: int(share * len(whole))])
        assert "not a readable Parquet file" in complaint(path)


@given(place=st.integers(min_value=0), value=st.integers(1, 255))
def test_a_changed_byte_gives_records_or_one_clear_error(whole: bytes, place: int, value: int) -> None:
    changed = bytearray(whole)
    changed[place % len(whole)] ^= value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records-00000.parquet")
        path.write_bytes(changed)
        try:
            list(read_shard(path))
        except FileFormatError:
            complaint(path)


def test_another_kind_of_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"id": ["a"]}), path)
    assert "not one of records" in complaint(path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    path.write_bytes(Format("records", 0, list(SCHEMA)).to_bytes([]))
    assert "holds records of version 0, not 1" in complaint(path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "narrow.parquet"
    path.write_bytes(Format("records", 1, [field for field in SCHEMA if field.name != "truth"]).to_bytes([]))
    assert "does not fit the schema of records (truth)" in complaint(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.parquet does not exist"):
        list(read_shard(tmp_path / "gone.parquet"))


def test_rows_are_counted_without_reading_them(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "records-00000.parquet"
    path.write_bytes(whole)
    assert RECORDS.count(path) == len(sprites())
