from pathlib import Path

import pytest

from mezzotint.curation import tables
from mezzotint.data.parquet import pa
from mezzotint.errors import FileFormatError

TABLE = pa.table({"a": list(range(100)), "b": [f"{i}" for i in range(100)]})
MADE_OF = {"input": "abc", "stages": {"x": "1"}}


def test_what_is_written_is_read_and_says_what_it_was_made_of(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    written = tables.write(path, TABLE, MADE_OF)
    assert path.read_bytes() == written == tables.write(tmp_path / "again.parquet", TABLE, MADE_OF)
    assert tables.made_of(path) == MADE_OF
    assert pa.Table.from_batches(list(tables.batches(path, ["b"]))).to_pydict() == {"b": TABLE["b"].to_pylist()}
    assert (tables.count_rows(path), tables.read_schema(path)) == (100, TABLE.schema)


def test_a_broken_or_foreign_file_was_made_of_nothing_known(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    assert tables.made_of(path) is None
    content = tables.write(path, TABLE, MADE_OF)
    path.write_bytes(content[:-10])
    assert tables.made_of(path) is None
    path.write_bytes(b"PAR1")
    with pytest.raises(FileFormatError, match=r"t\.parquet is not a readable table"):
        list(tables.batches(path))
