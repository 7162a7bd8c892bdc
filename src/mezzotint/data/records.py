"""One picture's row, and Parquet files of such rows.

A corpus is a folder of parts, a part a folder of shards:

    <corpus>/<part>/records-00000.parquet    rows of SCHEMA; its version stands in the file's metadata
    <corpus>/<part>/manifest.jsonl           one line a finished shard
    <corpus>/summary.json
"""

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mezzotint.data.parquet import Format, pa
from mezzotint.errors import InputError, MissingFileError
from mezzotint.runtime import atomic

VERSION = 1


class Caption(NamedTuple):
    """One description of a picture: its kind ("name", "short", "long", "tags"…), language ("en", "zh") and text."""

    kind: str
    language: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """One picture with what is known about it. A field with a default may be unknown."""

    id: str  # unique in the corpus, stable between builds
    picture: bytes | None = None  # the encoded file (PNG, WebP, JPEG) …
    path: str | None = None  # … or where it lies, relative to the corpus folder
    width: int  # in pixels
    height: int
    sha256: str  # of the encoded file, hexadecimal
    kind: str  # "sprite": RGBA, one subject alone; "scene": opaque; "photograph"; …
    concept: str | None = None  # what it shows, the same for all styles of one thing
    style: str | None = None
    group: str | None = None
    subgroup: str | None = None
    source: str  # package@version
    licence: str  # SPDX identifier
    credit: str
    captions: tuple[Caption, ...] = ()
    truth: str | None = None  # JSON: what a renderer knows about its picture
    measures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    embedding: str | None = None  # where its embedding stands
    split: str  # "train", "val" or "test"


RECORDS = Format(
    "records",
    VERSION,
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("picture", pa.binary()),
        pa.field("path", pa.string()),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("concept", pa.string()),
        pa.field("style", pa.string()),
        pa.field("group", pa.string()),
        pa.field("subgroup", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("credit", pa.string(), nullable=False),
        pa.field(
            "captions",
            pa.list_(pa.struct([("kind", pa.string()), ("language", pa.string()), ("text", pa.string())])),
            nullable=False,
        ),
        pa.field("truth", pa.string()),
        pa.field("measures", pa.map_(pa.string(), pa.float64()), nullable=False),
        pa.field("embedding", pa.string()),
        pa.field("split", pa.string(), nullable=False),
    ],
)
SCHEMA = RECORDS.schema

# What a field holds when its column is not read; a nullable one holds None.
_NOT_READ: Mapping[str, Any] = {
    field.name: 0 if pa.types.is_integer(field.type) else () if pa.types.is_nested(field.type) else ""
    for field in SCHEMA
    if not field.nullable
}


def write_shard(path: Path, records: Iterable[Record]) -> str:
    """Write records as one Parquet file, all or nothing, and return the file's SHA-256 (hexadecimal).

    The same records give the same bytes (with the same pyarrow).
    """
    data = RECORDS.to_bytes([_row(record) for record in records])
    atomic.write_bytes(Path(path), data)
    return hashlib.sha256(data).hexdigest()


def read_records(
    folder: Path,
    columns: Sequence[str] | None = None,
    *,
    parts: Collection[str] | None = None,
    splits: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
) -> Iterator[Record]:
    """Stream the records of a corpus, in the order of parts and shards; memory holds a few hundred at a time.

    With `columns`, only these are read; a field that is not read holds its empty value ("", 0, None, ()).
    `parts`, `splits` and `kinds` keep the rows that lie in them; None keeps all.

    Raises MissingFileError for a folder without shards or a missing part, FileFormatError for a broken or foreign file.
    """
    for shard in find_shards(folder, parts):
        yield from read_shard(shard, columns, splits=splits, kinds=kinds)


def find_shards(folder: Path, parts: Collection[str] | None = None) -> list[Path]:
    """The record files of a corpus, sorted by part and number."""
    folder = Path(folder)
    shards = sorted(folder.glob("*/records-*.parquet"))
    if not shards:
        raise MissingFileError(f"no records in {folder} (<part>/records-*.parquet): build a corpus there first")
    if parts is None:
        return shards
    if unknown := set(parts) - {shard.parent.name for shard in shards}:
        present = ", ".join(sorted({shard.parent.name for shard in shards}))
        raise MissingFileError(f"{folder} has no part {', '.join(sorted(unknown))}: it has {present}")
    return [shard for shard in shards if shard.parent.name in parts]


def read_shard(
    path: Path,
    columns: Sequence[str] | None = None,
    *,
    splits: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
) -> Iterator[Record]:
    """Stream the records of one file; see `read_records`."""
    wanted = list(SCHEMA.names if columns is None else columns)
    if unknown := set(wanted) - set(SCHEMA.names):
        raise InputError(f"records have no column {', '.join(sorted(unknown))}: they have {', '.join(SCHEMA.names)}")
    filters = {"split": splits, "kind": kinds}
    needed = wanted + [name for name, keep in filters.items() if keep is not None and name not in wanted]
    for batch in RECORDS.read(Path(path), needed):
        for name, keep in filters.items():
            if keep is not None:
                batch = batch.filter(pa.array([value in keep for value in batch.column(name).to_pylist()], pa.bool_()))
        for row in batch.select(wanted).to_pylist():
            yield _record(row)


def _row(record: Record) -> dict[str, Any]:
    row = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    row["captions"] = [caption._asdict() for caption in record.captions]
    row["measures"] = sorted(record.measures.items())
    return row


def _record(row: dict[str, Any]) -> Record:
    row = {**_NOT_READ, **row}
    row["captions"] = tuple(Caption(**caption) for caption in row["captions"])
    row["measures"] = dict(row["measures"])
    return Record(**row)
