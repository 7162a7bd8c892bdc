"""Parquet files: this project's records, or any table with a column of pictures or of paths to them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from mezzotint.curation.sources.files import Place
from mezzotint.curation.sources.rows import MAX_FILE_BYTES, Found, Origin, batches, blank, captions
from mezzotint.curation.stage import ROW, Outcome
from mezzotint.data.parquet import pa
from mezzotint.data.records import SCHEMA
from mezzotint.errors import FileFormatError

import pyarrow.parquet as pq  # isort: skip  # after data.parquet, which says what to install where it is missing

PICTURES, PATHS, CAPTIONS = ("picture", "image", "jpg", "png"), ("path", "file_name"), ("caption", "text")
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class ParquetShard:
    """One row group of a Parquet file. A picture is bytes, or `{bytes, path}` as public data sets have it."""

    place: Place
    name: str  # which begins the ids of rows that have none of their own
    group: int
    rows: int
    columns: tuple[str, ...]
    origin: Origin

    @property
    def schema(self) -> pa.Schema:
        return ROW

    @cached_property
    def digest(self) -> str:
        """Of the file's name, size and time of change, and of those of the local files that it names."""
        return hashlib.sha256("".join([ascii(self), *self._named()]).encode()).hexdigest()

    def read(self) -> Iterator[Outcome]:
        return batches(self._found())

    def _found(self) -> Iterator[Found]:
        try:
            with fsspec.open(self.place.url, "rb") as opened, pq.ParquetFile(opened) as file:
                groups = file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=[self.group], columns=self.columns)
                for position, row in enumerate(row for batch in groups for row in batch.to_pylist()):
                    yield self._row(f"{self.name}/{self.group}/{position}", row)
        except (pa.ArrowException, OSError) as error:
            fields = blank(f"{self.name}/{self.group}", self.origin)
            yield Found(fields, f"the Parquet file cannot be read to its end: {str(error).splitlines()[0]}")

    def _named(self) -> Iterator[str]:
        """Of each local file that a row names, and that is there."""
        columns = [*PATHS, *(f"{name}.path" for name in PICTURES)]
        try:
            with fsspec.open(self.place.url, "rb") as opened, pq.ParquetFile(opened) as file:
                for batch in file.iter_batches(row_groups=[self.group], columns=columns):
                    for row in batch.to_pylist():
                        if (path := _content(row)[1]) is not None:
                            yield _state(self._beside(path).url)
        except (pa.ArrowException, OSError):
            return  # `read` says so

    def _row(self, identity: str, row: dict[str, Any]) -> Found:
        if set(SCHEMA.names) <= set(row):
            fields = {name: row[name] for name in SCHEMA.names}
        else:
            caption = next((row[name] for name in CAPTIONS if isinstance(row.get(name), str)), None)
            fields = blank(identity, self.origin) | {"captions": captions(caption)}
        picture, path = _content(row)
        fields |= {"picture": picture, "path": path}
        if picture is None and path is None:
            return Found(fields, "neither a picture nor a path to one")
        if picture is None and path is not None:
            try:
                fields["picture"] = picture = self._beside(path).read()
            except (OSError, ValueError, ImportError) as error:
                return Found(fields, f"cannot be read: {getattr(error, 'strerror', None) or error}")
        if len(picture or b"") > MAX_FILE_BYTES:
            return Found(fields | {"picture": None}, f"larger than {MAX_FILE_BYTES >> 20} MiB")
        return Found(fields)

    def _beside(self, path: str) -> Place:
        """Records name their pictures relative to the corpus, two folders up; other tables relative to themselves."""
        folder = self.place.url.rpartition("/")[0]
        if set(SCHEMA.names) <= set(self.columns):
            folder = folder.rpartition("/")[0]
        protocol, _, root = folder.partition("://")
        return Place(url=path if "://" in path else f"{protocol}://{PurePosixPath(root) / path}", size=0, changed="")


def parquet_shards(place: Place, name: str, origin: Origin) -> Iterator[ParquetShard]:
    """One shard a row group. Raises FileFormatError for a broken file, or one without pictures or paths."""
    try:
        with fsspec.open(place.url, "rb") as opened, pq.ParquetFile(opened) as file:
            metadata, found = file.metadata, file.schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileFormatError(f"{place.url} is not a readable Parquet file ({reason}): make it again") from error
    known = (*SCHEMA.names, *PICTURES, *PATHS, *CAPTIONS)
    columns = tuple(column for column in found if column in known)
    if not set(columns) & {*PICTURES, *PATHS}:
        wanted = ", ".join((*PICTURES, *PATHS))
        raise FileFormatError(f"{place.url} has no column of pictures or paths: name one of {wanted}")
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        yield ParquetShard(place=place, name=name, group=group, rows=rows, columns=columns, origin=origin)


def _state(url: str) -> str:
    path = Path(url.removeprefix("file://"))
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    return ascii((path, found.st_size, found.st_mtime_ns))


def _content(row: dict[str, Any]) -> tuple[bytes | None, str | None]:
    """The picture's bytes and its path, each where the row has one."""
    path = next((row[name] for name in PATHS if isinstance(row.get(name), str)), None)
    for name in PICTURES:
        value = row.get(name)
        if isinstance(value, bytes):
            return value, path
        if isinstance(value, dict):
            return value.get("bytes"), value.get("path") or path
    return None, path
