"""What a pass leaves of each shard: one Parquet file that says itself what it was made of.

So the rename of that file is the moment at which the shard is done: a killed run does no shard twice.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mezzotint.data.parquet import ROWS_AT_ONCE, pa
from mezzotint.errors import FileFormatError
from mezzotint.runtime import atomic

import pyarrow.parquet as pq  # isort: skip  # after the line above, which says what to install where it is missing

_KEY = b"mezzotint.curation"


def write(path: Path, table: pa.Table, made_of: Mapping[str, object]) -> bytes:
    """Write a table, all or nothing, and return the file's bytes: the same for the same rows and origin."""
    sink = io.BytesIO()
    table = table.replace_schema_metadata({_KEY: json.dumps(made_of)})
    pq.write_table(table, sink, row_group_size=ROWS_AT_ONCE, compression="zstd", write_page_checksum=True)
    data = sink.getvalue()
    atomic.write_bytes(path, data)
    return data


def made_of(path: Path) -> Mapping[str, object] | None:
    """What a table says it was made of; None for no file, a broken or a foreign one."""
    try:
        return dict(json.loads((pq.read_schema(path).metadata or {})[_KEY]))
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None


def batches(path: Path, columns: Sequence[str] | None = None, *, rows_at_once: int = 64) -> Iterator[pa.RecordBatch]:
    """Stream some columns of a table. Raises FileFormatError for a file that is missing or broken."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield from file.iter_batches(batch_size=rows_at_once, columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileFormatError(f"{path} is not a readable table ({reason}): remove it and run again") from error


def joined(paths: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Columns of the same rows from several tables of one shard, each from the first table that has it."""
    wanted: dict[Path, list[str]] = {path: [] for path in paths}
    for name in columns:
        wanted[next(path for path in paths if name in read_schema(path).names)].append(name)
    streams = [batches(path, own) for path, own in wanted.items() if own]
    for parts in zip(*streams, strict=True):
        found = {name: part.column(name) for part in parts for name in part.schema.names}
        yield pa.RecordBatch.from_arrays([found[name] for name in columns], names=list(columns))


def count_rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def read_schema(path: Path) -> pa.Schema:
    """The columns of a table, without what it says about itself."""
    return pq.read_schema(path).remove_metadata()
