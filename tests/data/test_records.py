import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_corpus import scenes, sprites

from mezzotint.data.records import SCHEMA, Caption, Record, find_shards, read_records, write_shard
from mezzotint.errors import InputError, MissingFileError

TEXT = st.text(max_size=20)
MAYBE = st.none() | TEXT
RECORDS = st.builds(
    Record,
    id=TEXT,
    picture=st.none() | st.binary(max_size=50),
    path=MAYBE,
    width=st.integers(1, 2**31 - 1),
    height=st.integers(1, 2**31 - 1),
    sha256=TEXT,
    kind=TEXT,
    concept=MAYBE,
    style=MAYBE,
    group=MAYBE,
    subgroup=MAYBE,
    source=TEXT,
    licence=TEXT,
    credit=TEXT,
    captions=st.lists(st.builds(Caption, TEXT, TEXT, TEXT), max_size=3).map(tuple),
    truth=MAYBE,
    measures=st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=3),
    embedding=MAYBE,
    split=st.sampled_from(["train", "val"]),
)


@given(st.lists(RECORDS, max_size=8))
def test_what_is_written_is_read(records: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder, "part", "records-00000.parquet"), records)
        assert list(read_records(Path(folder))) == records


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    digest = write_shard(first, sprites())
    assert digest == write_shard(second, sprites()) == hashlib.sha256(first.read_bytes()).hexdigest()
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_more_rows_than_are_held_at_once(tmp_path: Path) -> None:
    records = [Record(**(vars(sprites()[0]) | {"id": str(index), "picture": None})) for index in range(700)]
    write_shard(tmp_path / "part" / "records-00000.parquet", records)
    assert [record.id for record in read_records(tmp_path, ["id"])] == [str(index) for index in range(700)]


def test_records_come_in_the_order_of_parts_and_shards(corpus: Path) -> None:
    assert list(read_records(corpus)) == scenes() + sprites()


def test_only_the_columns_asked_for_are_read(corpus: Path) -> None:
    first = next(read_records(corpus, ["id", "captions"], parts=["sprites"]))
    whole = sprites()[0]
    assert (first.id, first.captions) == (whole.id, whole.captions)
    assert (first.picture, first.width, first.sha256, first.split, dict(first.measures)) == (None, 0, "", "", {})


def test_filters_by_part_split_and_kind(corpus: Path) -> None:
    assert [record.id for record in read_records(corpus, ["id"], splits=["val"])] == ["sprite/gold-box"]
    assert {record.id for record in read_records(corpus, ["id"], kinds=["scene"])} == {r.id for r in scenes()}
    assert list(read_records(corpus, parts=["sprites"])) == sprites()
    assert list(read_records(corpus, parts=["sprites"], kinds=["scene"])) == []


def test_an_unknown_column_is_refused(corpus: Path) -> None:
    with pytest.raises(InputError, match="no column colour: they have id, picture"):
        next(read_records(corpus, ["colour"]))


def test_a_folder_without_records_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=f"no records in {tmp_path}"):
        find_shards(tmp_path)


def test_a_missing_part_is_named(corpus: Path) -> None:
    with pytest.raises(MissingFileError, match="no part photographs: it has scenes, sprites"):
        list(read_records(corpus, parts=["photographs"]))


def test_every_field_of_a_record_has_its_column() -> None:
    assert list(Record.__dataclass_fields__) == SCHEMA.names
