from pathlib import Path

from mezzotint.curation import tables
from mezzotint.curation.table_shard import TableShard
from mezzotint.data.parquet import pa


def test_it_reads_what_was_kept_and_only_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, 3], "b": [4, 5, 6], "dropped_by": [None, "somebody", None]})
    tables.write(tmp_path / "t.parquet", table, {})
    shard = TableShard(tmp_path / "t.parquet", ("b",))
    (outcome,) = shard.read()
    assert outcome.rows.to_pydict() == {"b": [4, 6]}
    assert outcome.reasons == [None, None]
    assert (shard.rows, shard.schema.names) == (3, ["b"])


def test_its_digest_is_that_of_its_content(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 1), ("c", 2)):
        tables.write(tmp_path / name, pa.table({"x": [value]}), {})
    a, b, c = (TableShard(tmp_path / name, ("x",)).digest for name in "abc")
    assert a == b != c
