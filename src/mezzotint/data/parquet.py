"""Parquet files of one versioned schema each: written with the same bytes each time, and read with clear errors."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mezzotint.errors import FileFormatError, MissingDependencyError, MissingFileError

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as cause:
    raise MissingDependencyError("data is kept in Parquet files: pip install -e '.[training]' to read them") from cause

__all__ = ["ROWS_AT_ONCE", "Format", "pa"]

ROWS_AT_ONCE = 256  # a row group, and so what a reader holds in memory


class Format:
    """A schema with a name and a version, which stand in the metadata of each of its files."""

    def __init__(self, name: str, version: int, fields: Sequence[pa.Field]) -> None:
        self.name, self.version = name, str(version)
        self._key = f"mezzotint.{name}.version".encode()
        self.schema = pa.schema(fields, metadata={self._key: self.version.encode()})

    def to_bytes(self, rows: list[dict[str, Any]]) -> bytes:
        """A Parquet file of these rows; the same rows give the same bytes (with the same pyarrow)."""
        sink, table = io.BytesIO(), pa.Table.from_pylist(rows, schema=self.schema)
        pq.write_table(table, sink, row_group_size=ROWS_AT_ONCE, compression="zstd", write_page_checksum=True)
        return sink.getvalue()

    def read(self, path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Stream some columns of a file.

        Raises MissingFileError for no file, FileFormatError for a broken one, another format or another version.
        """
        with self._open(path) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(columns)):
                batch.validate(full=True)  # a broken file must not surface later, as text that is not UTF-8
                yield batch

    def count(self, path: Path) -> int:
        """The number of rows; the same errors as `read`."""
        with self._open(path) as file:
            return int(file.metadata.num_rows)

    @contextmanager
    def _open(self, path: Path) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                self._check(path, file.schema_arrow)
                yield file
        except FileNotFoundError as error:
            raise MissingFileError(f"{path} does not exist") from error
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FileFormatError(f"{path} is not a readable Parquet file ({reason}): make it again") from error

    def _check(self, path: Path, schema: pa.Schema) -> None:
        version = (schema.metadata or {}).get(self._key)
        if version is None:
            raise FileFormatError(f"{path} is a Parquet file, but not one of {self.name}: remove it or name another")
        if version.decode(errors="replace") != self.version:
            found = version.decode(errors="replace")
            raise FileFormatError(
                f"{path} holds {self.name} of version {found}, not {self.version}: make it again with this program"
            )
        if not schema.equals(self.schema, check_metadata=False):
            names = [f.name for f in self.schema if f.name not in schema.names or not schema.field(f.name).equals(f)]
            raise FileFormatError(f"{path} does not fit the schema of {self.name} ({', '.join(names)}): make it again")
