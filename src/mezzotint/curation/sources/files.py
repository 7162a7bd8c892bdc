"""Pictures that are files, or lie whole inside of one: folders, CSV lists and tars."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import fsspec

from mezzotint.curation.sources.rows import MAX_FILE_BYTES, Found, Origin, batches, blank, captions
from mezzotint.curation.stage import ROW, Outcome
from mezzotint.data.parquet import pa

ROWS_PER_SHARD, BYTES_PER_SHARD = 256, 1 << 28


@dataclass(frozen=True, kw_only=True)
class Place:
    """Some bytes: a whole file, or `size` bytes of one from `offset`. `changed` is its time of change, or its ETag."""

    url: str
    size: int
    changed: str
    offset: int | None = None

    @classmethod
    def of(cls, fs: Any, name: str, info: Mapping[str, Any] | None = None) -> "Place":
        """A whole file; `info` is what its file system says of it, where that was asked already."""
        info = fs.info(name) if info is None else info
        changed = info.get("ETag") or info.get("mtime") or info.get("LastModified") or ""
        return cls(url=fs.unstrip_protocol(name), size=info.get("size") or 0, changed=str(changed))

    def read(self) -> bytes:
        """Raises OSError, and whatever else the file system of the URL raises."""
        with fsspec.open(self.url, "rb") as file:
            file.seek(self.offset or 0)
            return file.read(self.size if self.offset is not None else -1)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture of an input. `reason` says why it cannot be read, where that is known without trying."""

    id: str
    place: Place
    caption: str | Place | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class FileShard:
    """A run of entries."""

    entries: tuple[Entry, ...]
    origin: Origin

    @property
    def rows(self) -> int:
        return len(self.entries)

    @property
    def schema(self) -> pa.Schema:
        return ROW

    @cached_property
    def digest(self) -> str:
        """Of names, sizes and times of change: what can be known without reading all files again."""
        return hashlib.sha256(ascii((self.entries, self.origin)).encode()).hexdigest()

    def read(self) -> Iterator[Outcome]:
        return batches(map(self._found, self.entries))

    def _found(self, entry: Entry) -> Found:
        fields = blank(entry.id, self.origin) | {"path": printable(entry.place.url)}
        if entry.reason or entry.place.size > MAX_FILE_BYTES:
            return Found(fields, entry.reason or f"larger than {MAX_FILE_BYTES >> 20} MiB")
        try:
            fields["picture"] = entry.place.read()
            caption = entry.caption.read() if isinstance(entry.caption, Place) else entry.caption
        except Exception as error:  # every file system has its own errors; none may end the run
            reason = error.strerror if isinstance(error, OSError) else None
            return Found(fields, f"cannot be read: {reason or type(error).__name__}")
        fields["captions"] = captions(caption.decode(errors="replace") if isinstance(caption, bytes) else caption)
        return Found(fields)


def shards(entries: Sequence[Entry], origin: Origin) -> Iterator[FileShard]:
    """Cut entries into shards of bounded rows and bytes."""
    first = size = 0
    for position, entry in enumerate(entries):
        if position > first and (position - first == ROWS_PER_SHARD or size + entry.place.size > BYTES_PER_SHARD):
            yield FileShard(entries=tuple(entries[first:position]), origin=origin)
            first, size = position, 0
        size += entry.place.size
    if entries:
        yield FileShard(entries=tuple(entries[first:]), origin=origin)


def printable(name: str) -> str:
    """A file's name as text: bytes of it that are not UTF-8 stand as \\xff and the like."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
